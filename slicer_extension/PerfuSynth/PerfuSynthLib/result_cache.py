"""Results by the content of what they were made from: the same CT is not sent twice."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .grid_volume import GridVolume
from .private_file import private_folder
from .problems import Problem
from .result_package import SynthesisResult, read_result

#: Most bytes that are kept: about a hundred results on a grid of 512x512x40. [d]
MAX_CACHE_BYTES = 2 * 1024**3
#: Results are made of a patient's scan: they do not stay longer than somebody works with them, s. [d]
MAX_AGE_S = 30 * 24 * 3600.0
#: Changes when older entries no longer mean the same.
_FORMAT = "1"
_ENDING, _PART = f".v{_FORMAT}.zip", ".part"
_OWN_NAME = re.compile(r"[0-9a-f]{64}\.v\d+\.zip|result-\w+\.part")
#: What a crash left behind is removed after this, s.
_PART_AGE_S = 3600.0


class ResultCache:
    """A folder of results, each the server's own zip; several Slicers may share it.

    Parameters
    ----------
    folder
        Made when it is missing, closed to other users.
    max_bytes, max_age_s
        What is kept; the entry that was not used for longest goes first.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_CACHE_BYTES, max_age_s: float = MAX_AGE_S):
        self._folder = Path(folder)
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s

    def get(self, key: str) -> SynthesisResult | None:
        """The result under a key of `content_key`; a stale or damaged one is removed, and None returned."""
        path = self._path(key)
        try:
            if time.time() - path.stat().st_mtime > self._max_age_s:
                path.unlink()
                return None
            result = read_result(path)
            os.utime(path)
        except FileNotFoundError:
            return None
        except (Problem, OSError):
            _remove(path)
            return None
        return result

    def put(self, key: str, package: Path) -> None:
        """Keep a result's zip, which is moved in. A cache that cannot be written loses nothing but time."""
        with contextlib.suppress(OSError):
            os.chmod(package, 0o600)
            os.replace(package, self._path(key))
            self._shrink()

    def new_file(self) -> Path:
        """An empty private file on the cache's disk, to download to and `put`; the caller removes what it keeps not.

        Raises
        ------
        Problem
            Code ``disk``.
        """
        try:
            handle, path = tempfile.mkstemp(dir=str(private_folder(self._folder)), prefix="result-", suffix=_PART)
        except OSError as error:
            raise Problem(
                "disk",
                "The folder for results cannot be written.",
                "Make room on the disk, or choose another folder for temporary files in Slicer's settings.",
                os.strerror(error.errno) if error.errno else type(error).__name__,
            ) from None
        os.close(handle)
        return Path(path)

    def size_bytes(self) -> int:
        """What all entries take together."""
        return sum(size for _, size, _ in self._entries())

    def clear(self) -> None:
        """Remove every result."""
        for path in self._files():
            _remove(path)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_ENDING}"

    def _files(self) -> list[Path]:
        """Only what this class made: the folder is somebody's setting."""
        try:
            return [path for path in self._folder.iterdir() if _OWN_NAME.fullmatch(path.name)]
        except OSError:
            return []

    def _entries(self) -> list[tuple[float, int, Path]]:
        """When it was used, how large it is, where it lies; oldest first."""
        found = []
        for path in self._files():
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return sorted(found)

    def _shrink(self) -> None:
        entries, now = self._entries(), time.time()
        total = sum(size for _, size, _ in entries)
        for used, size, path in entries:
            coming = path.name.endswith(_PART)
            stale = now - used > (_PART_AGE_S if coming else self._max_age_s)
            outdated = not coming and not path.name.endswith(_ENDING)
            if stale or outdated or (total > self._max_bytes and not coming):
                _remove(path)
                total -= size


def content_key(
    ncct: GridVolume, task: str, weights_sha256: str, server_version: str, overrides: Sequence[str] = ()
) -> str:
    """SHA-256 of all that a result follows from.

    Parameters
    ----------
    ncct
        Its voxels count as float32, its affine in micrometres: what a file rounds is no other scan.
    task, weights_sha256, server_version
        What makes the maps, and what measures them.
    overrides
        Refusals that were overridden: without them the server might refuse.
    """
    digest = hashlib.sha256()
    for text in (_FORMAT, task, weights_sha256, server_version, *sorted(overrides)):
        digest.update(text.encode() + b"\0")
    digest.update(repr(ncct.array.shape).encode())
    digest.update(np.rint(np.asarray(ncct.affine, float) * 1000).astype("<i8").tobytes())
    # Plane by plane, in the order in which VTK and ITK keep them: all at once would be copied.
    for z in range(ncct.array.shape[2]):
        digest.update(np.ascontiguousarray(ncct.array[:, :, z].T, "<f4").data)
    return digest.hexdigest()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
