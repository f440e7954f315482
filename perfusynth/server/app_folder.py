"""Where the MONAI Label app lies: in the source tree, or where it was installed."""

from pathlib import Path

from perfusynth.shared_files import shared_folders


def app_folder() -> Path:
    """Folder ``apps/perfusynth``.

    Raises
    ------
    FileNotFoundError
        It is at neither place.
    """
    for folder in shared_folders("apps"):
        if (folder / "perfusynth" / "main.py").is_file():
            return folder / "perfusynth"
    raise FileNotFoundError("The MONAI Label app is missing; install perfusynth again.")
