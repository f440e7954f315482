"""What a case folder can hold: its modalities, their units and types on disk, and which of them share a grid."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from perfusynth.errors import InputError

#: The CTP's frame, in which the maps and MR lie, or that of NCCT and CTA.
Frame = Literal["fixed", "moving"]


@dataclass(frozen=True)
class Modality:
    """One file of a case folder.

    Parameters
    ----------
    holds
        What the file holds, with its unit.
    frame
        Where it lies on its own grid.
    grid
        Its grid by default: ``native``, or the modality whose grid it shares.
    dtype
        Type on disk.
    """

    holds: str
    frame: Frame
    grid: str
    dtype: type[np.generic]


MODALITIES: dict[str, Modality] = {
    "ncct": Modality("NCCT, HU", "moving", "native", np.int16),
    "brain": Modality("brain, 0 or 1", "moving", "ncct", np.uint8),
    "cta": Modality("CTA, HU", "moving", "native", np.int16),
    "ctp": Modality("CTP, HU", "fixed", "native", np.int16),
    "tmax": Modality("Tmax, s", "fixed", "ctp", np.float32),
    "cbf": Modality("CBF, mL/100 g/min", "fixed", "ctp", np.float32),
    "cbv": Modality("CBV, mL/100 g", "fixed", "ctp", np.float32),
    "mtt": Modality("MTT, s", "fixed", "ctp", np.float32),
    "valid": Modality("CTP coverage, 0 or 1", "fixed", "ctp", np.uint8),
    "core": Modality("infarct as DWI shows it, 0 or 1", "fixed", "ctp", np.uint8),
    "dwi": Modality("DWI b1000 trace, arbitrary units", "fixed", "native", np.int16),
    "adc": Modality("ADC, 1e-6 mm2/s", "fixed", "dwi", np.int16),
    "flair": Modality("FLAIR, arbitrary units", "fixed", "native", np.int16),
}
#: A thin pair of NCCT and CTA with labelled arteries in a folder of its own; its grid is always its own.
THIN = "thin"
#: Modalities that are written unless others are asked for: all but the two that take most space.
DEFAULT_MODALITIES = tuple(name for name in MODALITIES if name != "ctp")
#: Maps as deconvolution measures them; they come from one measurement.
MEASURED = ("tmax", "cbf", "cbv", "mtt", "valid")


def modalities_named(names: Iterable[str]) -> tuple[str, ...]:
    """The modalities of given names, each once, in the order of `MODALITIES`, ``thin`` last.

    Raises
    ------
    InputError
        Code ``unknown_modality``: there is no such modality, or none is named.
    """
    wanted = {name.strip() for name in names if name.strip()}
    unknown = sorted(wanted - {*MODALITIES, THIN})
    if unknown or not wanted:
        raise InputError(
            "These are no modalities of a digital patient.",
            expected=f"some of {', '.join([*MODALITIES, THIN])}",
            got=", ".join(name[:32] for name in unknown[:3]) or "none",
            hint="Separate names with commas.",
            code="unknown_modality",
        )
    return tuple(name for name in (*MODALITIES, THIN) if name in wanted)
