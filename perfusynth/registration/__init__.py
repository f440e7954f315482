"""Rigid registration: frames of a perfusion series with each other."""
