"""Maps out of a CT perfusion series: read, check, mend motion, choose arteries, deconvolve, mask, report."""
