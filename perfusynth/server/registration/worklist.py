"""Which cases have a registration to look at, and in which order: what each ``case.json`` says now."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from perfusynth.errors import InputError
from perfusynth.server.registration.fixed_image import source_of
from perfusynth.volumes.case_file import CASE_FILE
from perfusynth.volumes.case_registration import CaseRegistration, read_registration

State = Literal["to_check", "done", "known", "unusable"]
#: When a file was changed and how long it is: what is read again when one of the two differs.
_Stamp = tuple[int, int] | None


@dataclass(frozen=True, eq=False)
class Entry:
    """A case of the worklist.

    Parameters
    ----------
    folder
        Its case folder.
    state
        ``to_check``: automatic, and no annotator has said anything; ``done``: one has; ``known``: nobody needs to;
        ``unusable``: without registration or without images, as ``problem`` says.
    registration
        None where it is unusable.
    """

    folder: Path
    state: State
    registration: CaseRegistration | None = None
    problem: str = ""

    @property
    def case(self) -> str:
        """Its name."""
        return self.folder.name

    @property
    def probability(self) -> float | None:
        """That the registration is off by more than 2 mm; None where nobody has estimated it."""
        return self.registration.probability_over_2mm if self.registration else None

    @property
    def rank(self) -> tuple[int, float, str]:
        """Sorts what is to be checked first, the worst first; what nobody has estimated goes before all that is."""
        order = ("to_check", "unusable", "done", "known")
        return order.index(self.state), -(2.0 if self.probability is None else self.probability), self.case


class Worklist:
    """The cases of one studies folder; reads a ``case.json`` again only when it has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[_Stamp, CaseRegistration | InputError]] = {}
        self._images: dict[Path, tuple[_Stamp, str]] = {}

    def entries(self, folders: Iterable[Path]) -> list[Entry]:
        """Those of the case folders that have something to register the NCCT to, the worst first (blocking)."""
        with self._lock:
            return sorted(
                (self._entry(folder) for folder in folders if source_of(folder)), key=lambda entry: entry.rank
            )

    def entry(self, folder: Path) -> Entry:
        """One case (blocking)."""
        with self._lock:
            return self._entry(folder)

    def note_problem(self, folder: Path, problem: str) -> None:
        """Its images cannot be used; forgotten when they change."""
        with self._lock:
            self._images[folder] = (_stamp(source_of(folder)), problem)

    def _entry(self, folder: Path) -> Entry:
        stamp = _stamp(folder / CASE_FILE)
        known = self._read.get(folder)
        if known is None or known[0] != stamp:
            known = self._read[folder] = (stamp, _registration_or_fault(folder))
        found = known[1]
        if isinstance(found, InputError):
            return Entry(folder, "unusable", problem=str(found))
        images, problem = self._images.get(folder, (None, ""))
        if problem and images == _stamp(source_of(folder)):
            return Entry(folder, "unusable", found, problem)
        if found.verdict is not None:
            return Entry(folder, "done", found)
        return Entry(folder, "to_check" if found.method == "automatic" else "known", found)


def _registration_or_fault(folder: Path) -> CaseRegistration | InputError:
    try:
        return read_registration(folder)
    except InputError as fault:
        return fault


def _stamp(path: Path | None) -> _Stamp:
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if found else None
