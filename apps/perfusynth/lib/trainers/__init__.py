"""Training tasks of the app."""
