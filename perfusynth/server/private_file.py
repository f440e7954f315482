"""Secrets on disk: readable by their owner only, from the first byte on."""

import os
from pathlib import Path

from perfusynth import atomic


def write_private(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` by rename, mode 0600; makes the folder (0700)."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    atomic.write_bytes(path, content, mode=0o600)


def others_can_read(path: Path) -> bool:
    """Whether group or others have any right on ``path`` (always False where there are no such modes)."""
    return os.name == "posix" and bool(path.stat().st_mode & 0o077)
