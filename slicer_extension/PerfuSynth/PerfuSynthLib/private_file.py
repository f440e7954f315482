"""Files and folders that only this user may read, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def private_folder(path: Path) -> Path:
    """Make a folder that only this user may enter; one that is there is closed to others."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chmod(path, 0o700)
    return path


def write_private(path: Path, content: bytes) -> None:
    """`write_whole` into a folder that is made, closed to others, where it is not there yet."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_whole(path, content)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file into a folder that is there, with rights for this user alone; it appears by rename.

    Raises
    ------
    OSError
        It cannot be written; what was there before stays.
    """
    handle, part = tempfile.mkstemp(dir=str(path.parent), prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise
