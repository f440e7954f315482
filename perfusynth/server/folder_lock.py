"""One process at a time: a lock that its file's holder loses only by ending."""

import fcntl
from pathlib import Path
from typing import IO


def try_lock(path: Path) -> IO[bytes] | None:
    """Lock a file for as long as it stays open; None where another process holds it."""
    lock = open(path, "ab")  # noqa: SIM115 - held open as long as it is needed
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock
