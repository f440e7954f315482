"""The pix2pix-turbo family: NCCT in, Tmax and CBF out."""
