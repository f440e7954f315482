"""Evaluation on patients never looked at."""
