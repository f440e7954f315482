"""Where the extension's code is, and software rendering: what all tests of the extension share."""

import os
import sys
from pathlib import Path

# Before vtk makes its first window: a machine without a screen renders through EGL.
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

#: What the desktop program's module search path holds: `import PerfuSynthLib` works there and here.
MODULE_FOLDER = Path(__file__).parents[2] / "slicer_extension" / "PerfuSynth"

for folder in (Path(__file__).parent, MODULE_FOLDER):
    sys.path.insert(0, str(folder))
