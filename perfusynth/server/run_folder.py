"""The private folder of one server run: every upload, result and temporary file lies in it, and it goes at the end."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perfusynth.server.folder_lock import try_lock


class RunFolder:
    """A folder ``run-*`` (0700) that is locked while its server lives.

    Folders that dead servers left behind (their lock is free) are removed first.

    Parameters
    ----------
    parent
        Where run folders lie; default: a folder of this user's in the temp folder. Its mode is left as it is.
    """

    def __init__(self, parent: Path | None = None):
        parent = parent or Path(tempfile.gettempdir()) / f"perfusynth-{os.getuid()}"
        _own_private_folder(parent)
        with _locked(parent):  # another server that starts now must not take the new folder for a dead one's
            _remove_stale(parent)
            self.path = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
            self._lock = try_lock(self.path / ".lock")
        self._promised = 0
        self.jobs = self._folder("jobs")
        self.sessions = self._folder("sessions")
        self.temp = self._folder("temp")

    def _folder(self, name: str) -> Path:
        folder = self.path / name
        folder.mkdir(mode=0o700)
        return folder

    def free_bytes(self) -> int:
        """Free space on its disk, less what is promised."""
        return shutil.disk_usage(self.path).free - self._promised

    @contextmanager
    def promised(self, count: int) -> Iterator[None]:
        """Space that an upload on its way may take; for the event loop's thread."""
        self._promised += count
        try:
            yield
        finally:
            self._promised -= count

    def remove(self) -> None:
        """Remove it and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()


def _own_private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or not folder.is_dir() or status.st_uid != os.getuid():
        # In a shared temp folder someone else may have made it first, to read what we put there.
        raise PermissionError(
            f"{folder} is not a folder of this user. Remove it, or set PERFUSYNTH_WORK_DIR to a folder of your own."
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _remove_stale(parent: Path) -> None:
    for folder in parent.glob("run-*"):
        if folder.is_dir() and not folder.is_symlink():
            lock = try_lock(folder / ".lock")
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                lock.close()
