"""The Qt side of the desktop program without the desktop program: PySide6 dressed as PythonQt, and what a module needs of `slicer.app`."""
