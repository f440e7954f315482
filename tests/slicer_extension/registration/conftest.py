"""Where the registration module's code is, and servers for tests; the rest is in the folder above."""

import sys
from pathlib import Path

#: The desktop program puts every module's folder on the search path: `import PerfuSynthRegistrationLib` works there.
MODULE_FOLDER = Path(__file__).parents[3] / "slicer_extension" / "PerfuSynthRegistration"

for folder in (Path(__file__).parent, Path(__file__).parents[2] / "server", MODULE_FOLDER):
    sys.path.insert(0, str(folder))
