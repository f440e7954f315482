"""The working parts of the PerfuSynthRegistration module; free of Qt but for the widget files."""
