"""Diffusion and FLAIR images."""
