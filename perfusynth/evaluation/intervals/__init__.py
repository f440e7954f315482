"""Intervals of volumes: calibrated on patients whom a model has not seen, tested on others."""
