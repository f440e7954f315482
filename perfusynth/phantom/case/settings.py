"""What a case is made with: settings that are checked before any work, and by which a finished case is known again."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from perfusynth.errors import InputError
from perfusynth.phantom.case.grids import check_choices
from perfusynth.phantom.case.modalities import modalities_named
from perfusynth.phantom.ct.scanners import Scanner
from perfusynth.phantom.ctp.protocols import PROTOCOLS, Protocol, protocol_named
from perfusynth.phantom.head.traits import Anatomy, HeadFinding
from perfusynth.phantom.lattice import stream
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.stroke.shapes import external_stroke
from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash

#: Where an infarct's shape comes from: the model, or one of some real infarcts (never in training).
Lesions = Literal["simulated", "real"]
#: Largest factor on the misregistration that is drawn.
MISREGISTRATION_MAX = 5.0


@dataclass(frozen=True)
class Settings:
    """All that decides the bytes of a case folder besides the phantom's version; see `settings_of`."""

    seed: int
    scanner: Scanner
    protocol: Protocol
    modalities: tuple[str, ...]
    grids: tuple[tuple[str, str], ...]
    misregistration: float
    anatomy: Anatomy
    lesions: Lesions
    finding: HeadFinding

    def patient(self) -> Patient:
        """The patient of these settings."""
        patient = draw_patient(self.seed).with_head(anatomy=self.anatomy, finding=self.finding)
        return patient.with_stroke(**external_stroke(self.seed)) if self.lesions == "real" else patient

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, with the version and hash of the phantom."""
        return {
            "phantom_version": PHANTOM_VERSION,
            "parameter_hash": parameter_hash(),
            "seed": self.seed,
            "scanner": _plain(asdict(self.scanner)),
            "protocol": _plain(asdict(self.protocol)),
            "modalities": list(self.modalities),
            "grid_choices": dict(self.grids),
            "misregistration": self.misregistration,
            "anatomy": self.anatomy,
            "lesions": self.lesions,
            "finding": self.finding,
        }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def settings_of(
    seed: int,
    scanner: Scanner,
    modalities: Iterable[str],
    grids: Mapping[str, str] | None,
    protocol: str | None,
    misregistration: float,
    motion: bool,
    anatomy: str,
    lesions: str,
    finding: str,
) -> Settings:
    """Check what a case is to be made with; parameters as of `write_case`.

    Raises
    ------
    InputError
        Codes ``unknown_modality``, ``bad_grid``, ``unknown_protocol``, ``bad_misregistration``, ``unknown_anatomy``,
        ``unknown_lesions``, ``unknown_finding``.
    """
    if not 0 <= misregistration <= MISREGISTRATION_MAX:
        raise InputError(
            "The misregistration cannot be scaled by this.",
            expected=f"a factor from 0 (none) to {MISREGISTRATION_MAX:g}",
            got=f"{misregistration:g}",
            hint="1 is what patients do.",
            code="bad_misregistration",
        )
    chosen = protocol_named(protocol) if protocol is not None else drawn_protocol(seed)
    return Settings(
        seed=int(seed),
        scanner=scanner,
        protocol=chosen if motion else replace(chosen, motion="off"),
        modalities=modalities_named(modalities),
        grids=tuple(sorted(check_choices(grids or {}).items())),
        misregistration=float(misregistration),
        anatomy=one_of("anatomy", anatomy, get_args(Anatomy)),
        lesions=one_of("lesions", lesions, get_args(Lesions)),
        finding=one_of("finding", finding, get_args(HeadFinding)),
    )


def drawn_protocol(seed: int) -> Protocol:
    """The CTP protocol of a patient for whom none is asked for: any but those kept for tests."""
    names = sorted(name for name, protocol in PROTOCOLS.items() if protocol.training)
    return PROTOCOLS[names[int(stream(seed, "case protocol").integers(len(names)))]]


def one_of(what: str, name: str, known: Iterable[str]) -> Any:
    """``name``, if it is known.

    Raises
    ------
    InputError
        Code ``unknown_<what>``.
    """
    names = list(known)
    if name not in names:
        raise InputError(
            f"There is no {what} of this name.",
            expected=f"one of {', '.join(names)}",
            got=repr(name[:32]),
            hint=f"Choose one with --{what}.",
            code=f"unknown_{what}",
        )
    return name


def plain_matrix(matrix: np.ndarray) -> list[list[float]]:
    """A 4x4 as JSON, without negative zeros."""
    return [[float(value) + 0.0 for value in row] for row in np.asarray(matrix, dtype=float)]
