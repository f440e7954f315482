"""The desktop program's Qt side: PySide6 dressed as PythonQt, and what a module needs of `slicer.app`."""
