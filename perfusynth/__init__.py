"""perfusynth: CT perfusion maps (Tmax, CBF) synthesised from a plain head CT. Research use only."""

__version__ = "0.1.0"
