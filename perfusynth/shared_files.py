"""Files that come with the package but are not Python: the app, the shipped bundles, the sample data."""

import sysconfig
from pathlib import Path


def shared_folders(name: str) -> list[Path]:
    """Existing folders ``name`` (``apps``, ``models``, ``sample-data``): the checkout's, then the installed one's."""
    checkout = Path(__file__).resolve().parents[1]
    installed = Path(sysconfig.get_path("data")) / "share" / "perfusynth"
    return [folder for folder in (checkout / name, installed / name) if folder.is_dir()]
