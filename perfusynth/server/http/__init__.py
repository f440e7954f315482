"""The HTTP surface: routes, limits, errors."""
