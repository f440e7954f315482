"""`perfusynth maps` on digital patients' perfusion series, against what is true of these patients."""
