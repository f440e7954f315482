"""Untrained baselines: what rules make of an NCCT, fitted on few patients of the training set and shipped."""
