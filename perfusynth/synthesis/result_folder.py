"""A result folder made whole: files are written beside it and appear under its name only when all are there."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perfusynth.errors import InputError


@contextmanager
def result_folder(out: Path) -> Iterator[Path]:
    """Yield a fresh folder that becomes ``out`` when the block ends well and vanishes when it does not.

    Raises
    ------
    InputError
        Code ``exists``: ``out`` is a file or holds files already.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            f"{out} is not empty.",
            expected="a folder that does not exist yet, or an empty one",
            got="a file" if out.is_file() else "a folder with files in it",
            hint="Choose another with -o, or remove it first; results are never overwritten.",
            code="exists",
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        yield fresh
        fresh.chmod(0o755)
        if out.exists():
            out.rmdir()
        os.replace(fresh, out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
