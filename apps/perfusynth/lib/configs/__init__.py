"""Which tasks the app has."""
