"""Trained generators: volumes in, quantitative maps out. One file a family; what they share in `base`."""
