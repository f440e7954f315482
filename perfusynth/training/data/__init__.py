"""Patients for training: where they come from, how they are shared out, altered, ordered and loaded."""
