"""What all tests share: public data, where it is beside the checkout, and one precision on every machine."""

import os
from pathlib import Path

import pytest

#: Names the folder with public data; see perfusynth/public_data.py.
DATA_VARIABLE = "PERFUSYNTH_DATA"

# Whether a processor is fast at bfloat16 must not decide what a test sees; those of precisions ask for theirs.
os.environ["PERFUSYNTH_PRECISION"] = "fp32"


class PublicData(type(Path())):
    """The folder of public data; a missing item fails the test, since the variable promises it."""

    def __truediv__(self, name):
        item = super().__truediv__(name)
        if not item.exists():
            pytest.fail(f"{DATA_VARIABLE} is set, but {item.name} is missing in it")
        return item


@pytest.fixture(scope="session")
def public_data() -> Path:
    """Folder of public data (``$PERFUSYNTH_DATA``); the test is skipped where there is none."""
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        pytest.skip(f"{DATA_VARIABLE} is not set: no public data beside this checkout")
    if not Path(folder).is_dir():
        pytest.skip(f"{DATA_VARIABLE} names a folder that is missing")
    return PublicData(folder)
