"""A result folder made whole: files are written beside it and appear under its name only when all are there."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perfusynth.errors import InputError


@contextmanager
def result_folder(out: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a fresh folder that becomes ``out`` when the block ends well and vanishes when it does not.

    Parameters
    ----------
    out
        A folder that does not exist yet, or an empty one.
    replace
        ``out`` may hold an older result and nothing else; it stays until the new one is complete.

    Raises
    ------
    InputError
        Codes ``exists``: ``out`` is a file or holds files already; ``not_writable``: no folder can be made there.
    """
    if out.exists() and not (_is_empty(out) or (replace and _is_result(out))):
        raise InputError(
            f"{out} {'is a file' if out.is_file() else 'is not empty'}.",
            expected="a folder that does not exist yet, or an empty one",
            got="a file" if out.is_file() else "a folder with files in it",
            hint="Choose another with -o, or remove it first; results are never overwritten.",
            code="exists",
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    except OSError as error:
        raise InputError(
            f"{out} cannot be made.",
            expected="a folder in which this user may write",
            got=error.strerror or type(error).__name__,
            hint="Choose another with -o.",
            code="not_writable",
        ) from None
    old = fresh.with_name(f"{fresh.name}.old")
    try:
        yield fresh
        fresh.chmod(0o755)
        if out.exists():
            os.replace(out, old)
        os.replace(fresh, out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if old.exists() and not out.exists():
            os.replace(old, out)
        shutil.rmtree(old, ignore_errors=True)


def _is_empty(out: Path) -> bool:
    return out.is_dir() and not any(out.iterdir())


def _is_result(out: Path) -> bool:
    """Whether a folder holds what a synthesis writes and nothing else: a folder of anybody's own is never removed."""
    if not (out / "measurements.json").is_file():
        return False
    written = ("measurements.json", "report.html", "report.png")
    return all(p.is_file() and (p.name in written or p.name.endswith(".nii.gz")) for p in out.iterdir())
