"""Where the registration module's code is, and servers for tests; the rest is in the folder above."""

import sys
from pathlib import Path

import pytest

#: The desktop program puts every module's folder on the search path: `import PerfuSynthRegistrationLib` works there.
MODULE_FOLDER = Path(__file__).parents[3] / "slicer_extension" / "PerfuSynthRegistration"

for folder in (Path(__file__).parent, Path(__file__).parents[2] / "server", MODULE_FOLDER):
    sys.path.insert(0, str(folder))


@pytest.fixture(scope="module")
def desk():
    """Views small enough to draw quickly; tests that measure pixels make a desk of their own."""
    from desk import Desk

    made = Desk((300, 300))
    yield made
    made.close()
