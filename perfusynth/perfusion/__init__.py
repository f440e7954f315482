"""Perfusion quantities: regions and volumes by threshold, colour tables, the measurements document."""
