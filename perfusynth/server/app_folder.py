"""Where the MONAI Label app lies: in the source tree, or where it was installed."""

import sys
from pathlib import Path


def app_folder() -> Path:
    """Folder ``apps/perfusynth``.

    Raises
    ------
    FileNotFoundError
        It is at neither place.
    """
    places = [Path(__file__).parents[2], Path(sys.prefix) / "share" / "perfusynth"]
    for place in places:
        folder = place / "apps" / "perfusynth"
        if (folder / "main.py").is_file():
            return folder
    raise FileNotFoundError("The MONAI Label app is missing; install perfusynth again.")
