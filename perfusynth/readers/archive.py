"""Unpacking of a zip that strangers sent: no path leaves its folder, no bomb fills the disk."""

import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from perfusynth.errors import InputError

#: Most bytes that a zip may unpack to: a study of 4000 slices of 512 x 512 x 16 bit.
MAX_UNPACKED_BYTES = 2 * 2**30
#: Most files in a zip: several series of a study with thin slices.
MAX_FILES = 10_000
#: Largest ratio of unpacked to packed bytes once more than `RATIO_FREE_BYTES` are unpacked. CT packs 2:1 to 5:1, a
#: phantom without noise 30:1; zeros pack 1000:1.
MAX_RATIO = 200
RATIO_FREE_BYTES = 16 * 2**20
#: Bytes copied at once; the limits are checked after each.
CHUNK_BYTES = 2**20


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """Unpack a zip into a folder that lives as long as the ``with`` block.

    Files are named by number (``00000``, ...), so that no name out of the archive reaches the disk; sizes are counted
    while they are unpacked, whatever the archive's directory claims.

    Raises
    ------
    InputError
        Codes ``bad_archive`` (damaged, encrypted), ``unsafe_archive`` (absolute path, ``..``, link) and
        ``archive_too_large``.
    """
    with tempfile.TemporaryDirectory(prefix="perfusynth-") as folder:
        try:
            with zipfile.ZipFile(archive) as opened:
                _unpack(opened, Path(folder), archive.stat().st_size)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as fault:
            raise _bad_archive(type(fault).__name__) from None
        yield Path(folder)


def _unpack(archive: zipfile.ZipFile, folder: Path, packed_bytes: int) -> None:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > MAX_FILES:
        raise _too_large(f"{len(entries)} files", f"at most {MAX_FILES} files")
    for entry in entries:
        _check_entry(entry)
    allowed = min(MAX_UNPACKED_BYTES, max(RATIO_FREE_BYTES, MAX_RATIO * packed_bytes))
    if sum(entry.file_size for entry in entries) > allowed:
        raise _bomb()
    for number, entry in enumerate(entries):
        with archive.open(entry) as source, open(folder / f"{number:05d}", "wb") as target:
            allowed -= _copy(source, target, allowed)


def _copy(source: IO[bytes], target: IO[bytes], allowed: int) -> int:
    copied = 0
    while chunk := source.read(CHUNK_BYTES):
        copied += len(chunk)
        if copied > allowed:
            raise _bomb()
        target.write(chunk)
    return copied


def _check_entry(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & 0x1:
        raise _bad_archive("an encrypted zip")
    parts = entry.filename.replace("\\", "/").split("/")
    is_link = (entry.external_attr >> 16) & 0o170000 == 0o120000
    if ".." in parts or parts[0] == "" or parts[0].endswith(":") or is_link:
        raise InputError(
            "The zip holds an entry that points outside of it.",
            expected="files below one folder",
            got="a link" if is_link else "an absolute path or one with '..'",
            hint="Zip the DICOM folder again.",
            code="unsafe_archive",
        )


def _bad_archive(got: str) -> InputError:
    return InputError(
        "The zip cannot be opened.",
        expected="a complete zip without a password",
        got=got,
        hint="Zip the DICOM folder again.",
        code="bad_archive",
    )


def _bomb() -> InputError:
    return _too_large(
        "more than that", f"at most {MAX_UNPACKED_BYTES // 2**20} MiB unpacked and {MAX_RATIO} times the zip's size"
    )


def _too_large(got: str, expected: str) -> InputError:
    return InputError(
        "The zip unpacks to more than a study.",
        expected=expected,
        got=got,
        hint="Zip only the series of the non-contrast head CT.",
        code="archive_too_large",
    )
