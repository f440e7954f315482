"""Deconvolution of tissue curves by an arterial input: block-circulant, oscillation-limited and standard SVD."""
