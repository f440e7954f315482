"""The grid of every modality of a case: native, the model's, so many voxels, or another modality's."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perfusynth.errors import InputError
from perfusynth.phantom.case.modalities import MODALITIES, Frame
from perfusynth.phantom.ct.grids import native_grid
from perfusynth.phantom.ct.scanners import CTA_PROTOCOL, Scanner
from perfusynth.phantom.ctp.protocols import Protocol, native_ctp_grid
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.mr.images import native_mr_grid
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.render import model_grid

#: Voxels that a grid may have along an axis.
AXIS_LIMITS = (4, 1024)


@dataclass(frozen=True, eq=False)
class PlacedGrid:
    """A grid and the frame that its affine leads to."""

    grid: Grid
    frame: Frame

    def in_head(self, fixed_to_moving: np.ndarray) -> Grid:
        """The same voxels in the head's frame, where a patient is rendered."""
        return self.grid if self.frame == "fixed" else self.grid.moved(np.linalg.inv(fixed_to_moving))


def check_choices(choices: Mapping[str, str]) -> dict[str, str]:
    """Grid choices of all modalities: those given, and the defaults of the others.

    Parameters
    ----------
    choices
        Modality -> ``native``, ``model``, ``XxYxZ`` or another modality.

    Raises
    ------
    InputError
        Code ``bad_grid``: a name is unknown, a size is no size, or grids are defined by one another.
    """
    every = {name: modality.grid for name, modality in MODALITIES.items()} | dict(choices)
    for name, choice in every.items():
        if name not in MODALITIES or not (choice in ("native", "model", *MODALITIES) or _size(choice)):
            raise _refused(f"{name[:32]}={choice[:32]}")
        if name == "ctp" and choice != "native":
            raise _refused(f"ctp={choice}; the CTP's own grid is that of its protocol")
        seen, at = {name}, choice
        while at in MODALITIES:
            if at in seen:
                raise _refused(f"{name}={choice}, a grid that is defined by itself")
            seen.add(at)
            at = every[at]
    return every


def _refused(got: str) -> InputError:
    return InputError(
        "This is no grid of a modality.",
        expected=f"MODALITY=native, model, XxYxZ ({AXIS_LIMITS[0]} to {AXIS_LIMITS[1]} voxels) or another modality, "
        f"with a modality among {', '.join(MODALITIES)}",
        got=got,
        hint="For example tmax=ncct or flair=256x256x40.",
        code="bad_grid",
    )


def _size(choice: str) -> tuple[int, int, int] | None:
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4})x(\d{1,4})", choice)
    if found is None:
        return None
    shape = tuple(int(n) for n in found.groups())
    low, high = AXIS_LIMITS
    return shape if low <= min(shape) and max(shape) <= high else None  # type: ignore[return-value]


def grids_of(
    patient: Patient,
    scanner: Scanner,
    protocol: Protocol,
    fixed_to_moving: np.ndarray,
    choices: Mapping[str, str],
) -> dict[str, PlacedGrid]:
    """The grid of every modality; those that share one share the object.

    Parameters
    ----------
    choices
        As `check_choices` gives them.
    """
    to_head = np.linalg.inv(fixed_to_moving)
    found: dict[str, PlacedGrid] = {}

    def native(name: str) -> PlacedGrid:
        frame = MODALITIES[name].frame
        if name in ("ncct", "brain"):
            return PlacedGrid(native_grid(patient, scanner, to_head), frame)
        if name == "cta":
            return PlacedGrid(native_grid(patient, CTA_PROTOCOL, to_head), frame)
        if name in ("dwi", "adc"):
            return PlacedGrid(native_mr_grid(patient, "dwi"), frame)
        if name == "flair":
            return PlacedGrid(native_mr_grid(patient, "flair"), frame)
        return PlacedGrid(native_ctp_grid(patient, protocol), frame)

    def place(name: str) -> PlacedGrid:
        if name not in found:
            choice = choices[name]
            if choice in MODALITIES:
                found[name] = place(choice)
            elif choice == "model":
                frame = MODALITIES[name].frame
                found[name] = PlacedGrid(model_grid(patient, None if frame == "fixed" else to_head), frame)
            else:
                size, own = _size(choice), native(name)
                found[name] = own if size is None else PlacedGrid(own.grid.resized(size), own.frame)
        return found[name]

    return {name: place(name) for name in MODALITIES}
