"""Work that has not reached the server: kept on this machine for this user alone, until it is sent or given up."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PerfuSynthLib.private_file import private_folder, write_whole
from PerfuSynthLib.problems import Problem

from .rigid import rigid_of


class UnsentWork(NamedTuple):
    """What an annotator has done to one case.

    Attributes
    ----------
    address
        Of the server that the case is from.
    case
        Its name.
    revision
        State of the case on which the work began.
    fixed_to_moving
        4x4, RAS mm.
    verdict, reason
        As far as they are given.
    time
        When it was kept (ISO 8601, UTC).
    """

    address: str
    case: str
    revision: str
    fixed_to_moving: np.ndarray
    verdict: str
    reason: str
    time: str


class UnsentStore:
    """Keeps one piece of work a case.

    Parameters
    ----------
    folder
        Where; made when first needed, closed to others.
    """

    def __init__(self, folder: Path):
        self._folder = Path(folder)
        self._known: list[UnsentWork] | None = None  # the panel asks at every step of a drag

    def keep(self, work: UnsentWork) -> None:
        """Keep work in the place of what was kept for the case.

        Raises
        ------
        Problem
            Code ``disk``.
        """
        content = work._asdict()
        content["fixed_to_moving"] = np.asarray(work.fixed_to_moving, float).tolist()
        self._known = None
        try:
            private_folder(self._folder)
            write_whole(self._path(work.address, work.case), json.dumps(content).encode())
        except OSError as error:
            raise Problem(
                "disk",
                "Unsent work cannot be kept on this machine.",
                "Submit before you close Slicer, or make room on the disk.",
                _why(error),
            ) from None

    def of(self, address: str) -> list[UnsentWork]:
        """All that is kept for a server, the oldest first; what cannot be read is passed over."""
        if self._known is None:
            read = (_read(path) for path in sorted(self._folder.glob("*.json")))
            self._known = sorted((work for work in read if work is not None), key=lambda work: work.time)
        return [work for work in self._known if work.address == address]

    def forget(self, address: str, case: str) -> None:
        """Keep nothing of a case.

        Raises
        ------
        Problem
            Code ``disk``.
        """
        self._known = None
        try:
            self._path(address, case).unlink()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise Problem(
                "disk",
                f"What was kept of {case} cannot be removed from this machine.",
                f"It may be offered again: throw it away then. See who may write into {self._folder}.",
                _why(error),
            ) from None

    def _path(self, address: str, case: str) -> Path:
        """A name that tells nothing and fits every file system."""
        return self._folder / f"{hashlib.sha256(f'{address} {case}'.encode()).hexdigest()[:32]}.json"


def _why(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else type(error).__name__


def _read(path: Path) -> UnsentWork | None:
    try:
        content = json.loads(path.read_text("utf-8"))
        matrix = rigid_of(content.pop("fixed_to_moving"))
        return UnsentWork(fixed_to_moving=matrix, **{name: str(value) for name, value in content.items()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, Problem):
        return None
