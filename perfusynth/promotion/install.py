"""Taking a bundle in from a folder or a zip: known files only, checked before any of them has its place."""

import os
import re
import secrets
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final

from perfusynth.errors import InputError
from perfusynth.generators.bundles import Bundle, installed_bundles, read_bundle
from perfusynth.generators.candidates import candidates
from perfusynth.home import home
from perfusynth.promotion.bundle_form import MAX_BUNDLE_BYTES, bad_bundle, check_bundle, check_name, largest

#: Names of models: they stand in results, on command lines and in the registry.
MODEL_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_BLOCK: Final = 1 << 20
#: Most entries of a zip; a bundle has a dozen.
_MAX_ENTRIES: Final = 1000


@dataclass(frozen=True)
class _Source:
    """One file of the bundle that comes in: its name within the bundle, and how it is opened."""

    name: str
    path: Path | None = None
    entry: zipfile.ZipInfo | None = None


def install(source: Path, name: str | None = None) -> Bundle:
    """Install a bundle; it is live only when it is promoted.

    Parameters
    ----------
    source
        Bundle folder, or a zip of one (its files at the top, or below one folder).
    name
        What it is called here; default: the folder's, or the zip's name.

    Raises
    ------
    InputError
        Codes of `check_bundle`; ``unknown_file``, ``unsafe_archive``, ``bad_archive``, ``bundle_too_large``,
        ``bad_model_name``, ``exists``, ``no_bundle``.
    """
    name = (name or source.resolve().name.removesuffix(".zip")).lower()
    check_new_name(name)
    models = home() / "models"
    models.mkdir(parents=True, exist_ok=True)
    fresh = models / f"{secrets.token_hex(8)}.part"
    try:
        fresh.mkdir()
        if source.is_dir():
            _copy_files(_files_of(source), None, fresh)
        elif source.is_file():
            with _opened(source) as archive:
                _copy_files(_entries_of(archive), archive, fresh)
        else:
            raise bad_bundle("a bundle folder, or a zip of one", "nothing at this place", "no_bundle")
        check_bundle(fresh)
        os.rename(fresh, models / name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return read_bundle(models / name)


def check_new_name(name: str) -> None:
    """Refuse a name that cannot be a model's, or that one has.

    Raises
    ------
    InputError
        Codes ``bad_model_name`` and ``exists``.
    """
    if not MODEL_NAME.fullmatch(name):
        raise InputError(
            "This cannot be a model's name.",
            expected="up to 64 small letters, digits, _ and -",
            got=repr(name[:96]),
            hint="Choose one with --name.",
            code="bad_model_name",
        )
    if name in {**installed_bundles(), **candidates()} or (home() / "models" / name).exists():
        raise InputError(
            f"There is a model {name} already.",
            expected="a new name",
            got=name,
            hint="Choose another with --name; results name the model that made them, so that names are not used twice.",
            code="exists",
        )


def _files_of(folder: Path) -> list[_Source]:
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise bad_bundle("plain files", f"a link or device {path.name[:96]!r}", "unsafe_archive")
        if path.is_file():
            found.append(_Source(path.relative_to(folder).as_posix(), path=path))
    return found


def _entries_of(archive: zipfile.ZipFile) -> list[_Source]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if not entries or len(entries) > _MAX_ENTRIES:
        raise bad_bundle(f"1 to {_MAX_ENTRIES} files", f"{len(entries)}", "bad_archive")
    for entry in entries:
        parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if entry.flag_bits & 0x1:
            raise bad_bundle("a zip without a password", "an encrypted one", "bad_archive")
        if ".." in parts or parts[0].startswith("/") or parts[0].endswith(":") or kind not in (0, stat.S_IFREG):
            raise bad_bundle("plain files below one folder", "an entry that leads out of it", "unsafe_archive")
    names = [PurePosixPath(entry.filename.replace("\\", "/")) for entry in entries]
    tops = {name.parts[0] for name in names}
    inside = 1 if len(tops) == 1 and tops.isdisjoint({"configs", "models", "docs"}) else 0
    return [
        _Source(PurePosixPath(*name.parts[inside:]).as_posix(), entry=entry)
        for name, entry in zip(names, entries, strict=True)
    ]


def _copy_files(files: list[_Source], archive: zipfile.ZipFile | None, target: Path) -> None:
    """Copy under names that `check_name` knows, counting what comes, whatever a zip claims of itself."""
    for file in files:
        check_name(file.name)
    if len({file.name for file in files}) != len(files):
        raise bad_bundle("each file once", "one of them twice", "unsafe_archive")
    room = MAX_BUNDLE_BYTES
    for file in files:
        place = target / file.name
        place.parent.mkdir(exist_ok=True)
        with _open(file, archive) as source, open(place, "xb") as copy:
            room -= _copy(source, copy, min(room, largest(file.name)), file.name)


def _open(file: _Source, archive: zipfile.ZipFile | None) -> IO[bytes]:
    if archive is not None and file.entry is not None:
        return archive.open(file.entry)
    assert file.path is not None
    return open(file.path, "rb")


def _copy(source: IO[bytes], copy: IO[bytes], most: int, name: str) -> int:
    count = 0
    while block := source.read(_BLOCK):
        count += len(block)
        if count > most:
            raise bad_bundle(f"at most {most >> 20} MiB", f"more in {name}", "bundle_too_large")
        copy.write(block)
    copy.flush()
    os.fsync(copy.fileno())
    return count


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as fault:
        raise bad_bundle("a complete zip", type(fault).__name__, "bad_archive") from None
