"""What a source of studies offers, whatever its layout: patients, their studies, and what was left out and why."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress
from perfusynth.volumes.acquisition import Acquisition
from perfusynth.volumes.case_registration import CaseRegistration
from perfusynth.volumes.series import Series
from perfusynth.volumes.volume import Volume

#: Where studies come from.
Layout = Literal["dicom", "isles24", "cases"]


@dataclass(frozen=True, eq=False)
class StudyImages:
    """Images of one study, read.

    Parameters
    ----------
    ncct
        HU, on an even orthogonal grid; its frame is the moving one.
    acquisition
        What the NCCT's header says.
    perfusion
        The CTP, or None.
    maps
        Maps that came with the study by name, in s and mL/100 g/min, on grids in the CTP's frame.
    others
        Further volumes by the names of a case folder; ``cta`` and ``brain`` in the NCCT's frame.
    registrations
        What was said of the registration before, oldest first.
    facts
        What joins ``case.json``; nothing in it identifies a patient.
    descriptions
        Of maps by name: what their own header says they are, where that is one of ours.
    minutes_apart
        From NCCT to perfusion study, where it is known.
    notes
        What must be told, a sentence each.
    """

    ncct: Volume
    acquisition: Acquisition = field(default_factory=Acquisition)
    perfusion: Series | None = None
    maps: Mapping[str, Volume] = field(default_factory=dict)
    others: Mapping[str, Volume] = field(default_factory=dict)
    registrations: tuple[CaseRegistration, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    minutes_apart: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """One NCCT with its perfusion study.

    ``session`` tells the studies of a patient apart and is only hashed; where it is made of several series, NUL parts
    them.
    """

    session: str = field(repr=False)
    read: Callable[[OnProgress], StudyImages] = field(repr=False)


@dataclass(frozen=True)
class Excluded:
    """What is no case: a stable code, and the reason in words without any identity; ``session`` is only hashed."""

    code: str
    reason: str
    session: str = field(default="", repr=False)


@dataclass(frozen=True)
class Subject:
    """One patient of a source.

    Parameters
    ----------
    identity
        By which the source knows him; is only hashed.
    signature
        Changes with his files.
    studies
        Looks at his files: what can be read, and what is left out.
    """

    identity: str = field(repr=False)
    signature: str = field(repr=False)
    studies: Callable[[OnProgress], tuple[list[Study], list[Excluded]]] = field(repr=False)


def signature_of(files: Iterable[Path]) -> str:
    """SHA-256 over names, sizes and times of files, wherever their folder lies."""
    states = sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    return hashlib.sha256(repr(states).encode()).hexdigest()


def excluded_for(error: InputError, session: str = "") -> Excluded:
    """A refusal as an exclusion."""
    return Excluded(error.code, f"{error.error} Expected {error.expected}; got {error.got}.", session)
