"""The working parts of the PerfuSynth module; free of Qt but for the widget files."""
