"""Volumes, grids, masks and the question whether an image is an NCCT of a head (numpy, scipy, nibabel only)."""
