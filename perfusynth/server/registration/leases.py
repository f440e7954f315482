"""Leases: a case that one annotator has open is not handed to another for a while.

They lie in one private file, written by rename: a restarted server still knows them. Its caller lets no two in.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perfusynth.server.private_file import write_private


@dataclass(frozen=True)
class Lease:
    """Who has a case, and until when (seconds since 1970, as `time.time`)."""

    user: str
    until: float


class Leases:
    """The leases of one studies folder.

    Parameters
    ----------
    path
        Where they are kept.
    seconds
        How long one lasts after it was last taken.
    clock
        Seconds since 1970.
    """

    def __init__(self, path: Path, seconds: float, clock: Callable[[], float] = time.time):
        self._path = path
        self._seconds = seconds
        self._clock = clock

    def present(self) -> dict[str, Lease]:
        """Leases that have not run out, by case."""
        try:
            kept = {case: Lease(**lease) for case, lease in json.loads(self._path.read_text("utf-8")).items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError):
            return {}  # damaged by hand: the revision that a submit names still keeps work from being lost
        now = self._clock()
        return {case: lease for case, lease in kept.items() if lease.until > now}

    def take(self, case: str, user: str) -> bool:
        """Take or renew a lease; False where another has it."""
        present = self.present()
        if case in present and present[case].user != user:
            return False
        self._keep(present | {case: Lease(user, self._clock() + self._seconds)})
        return True

    def release(self, case: str, user: str) -> None:
        """Give one's own lease back; another's stays."""
        present = self.present()
        if case in present and present[case].user == user:
            del present[case]
            self._keep(present)

    def described(self, user: str) -> dict[str, dict[str, Any]]:
        """The leases as a user is told of them, by case."""
        now = self._clock()
        return {
            case: {"user": lease.user, "mine": lease.user == user, "seconds_left": round(lease.until - now)}
            for case, lease in self.present().items()
        }

    def _keep(self, leases: dict[str, Lease]) -> None:
        write_private(self._path, json.dumps({case: asdict(lease) for case, lease in leases.items()}).encode())
