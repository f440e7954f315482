"""CT perfusion protocols: timing, noise, slices and coverage, and the grid that each one images a patient on."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from perfusynth.errors import InputError
from perfusynth.phantom.grid import Grid, brain_extent
from perfusynth.phantom.lattice import clipped_normal, stream
from perfusynth.phantom.patient import Patient

#: Of the brain's height that a short coverage misses, the share that lies below it: the base is left out first [d].
MISSED_BELOW_SHARE = 0.72
#: SD of where the operator places the coverage, mm [d].
PLACEMENT_SD_MM = 4.0


@dataclass(frozen=True)
class Protocol:
    """One way to acquire a perfusion study, 80 kV.

    Parameters
    ----------
    frame_s, duration_s
        Interval between frames, and length of the series.
    noise_sd_hu
        SD of one frame's noise at the native pixel and slice.
    slice_mm
        Thickness and distance of the slices.
    coverage_mm
        Height that is imaged, a whole number of slices.
    noise_sigma_mm
        In-plane Gaussian that makes white noise into the reconstruction's.
    smoothing_sigma_mm
        Gaussians in plane and across slices by which curves are smoothed before they are deconvolved.
    motion
        ``drawn``: the head moves between frames in the 4-D series as it does in patients; ``off``: it lies still.
    training
        False: kept for tests on a protocol never trained on.
    """

    name: str
    frame_s: float
    duration_s: float
    noise_sd_hu: float
    slice_mm: float
    coverage_mm: float
    noise_sigma_mm: float = 0.5
    smoothing_sigma_mm: tuple[float, float] = (2.8, 2.8)
    pixel_mm: float = 0.9
    matrix: int = 256
    motion: Literal["drawn", "off"] = "drawn"
    training: bool = True

    @property
    def times_s(self) -> np.ndarray:
        """Times of the frames, s from the first."""
        return np.arange(round(self.duration_s / self.frame_s)) * self.frame_s

    @property
    def slices(self) -> int:
        """Number of slices."""
        return round(self.coverage_mm / self.slice_mm)


#: Frames every 1-2 s over 45-60 s, 5-8 HU of noise a frame (from memory), [Dose, Dur].
PROTOCOLS: dict[str, Protocol] = {
    p.name: p
    for p in (
        Protocol("wide_160mm", 1.5, 60.0, 6.5, 5.0, 160.0),
        Protocol("standard_80mm", 1.0, 45.0, 5.5, 10.0, 80.0, smoothing_sigma_mm=(2.8, 0.0)),
        Protocol("shuttle_120mm_2s", 2.0, 60.0, 6.0, 5.0, 120.0),
        Protocol("still_160mm", 1.0, 50.0, 6.0, 5.0, 160.0, motion="off"),
        Protocol("external_100mm", 1.5, 48.0, 8.0, 5.0, 100.0, 0.4, (2.4, 2.4), pixel_mm=0.86, training=False),
    )
}


def protocol_named(name: str) -> Protocol:
    """The protocol of a given name; `InputError` where there is none."""
    if name not in PROTOCOLS:
        raise InputError(
            "There is no such CT perfusion protocol.",
            expected=f"one of {', '.join(PROTOCOLS)}",
            got=name[:60],
            hint="See perfusynth/phantom/ctp/protocols.py.",
            code="unknown_protocol",
        )
    return PROTOCOLS[name]


def coverage(patient: Patient, protocol: Protocol) -> tuple[float, float]:
    """Lower and upper end of the imaged height, mm along z of the head's frame."""
    low, high = (float(corner[2]) for corner in brain_extent(patient))
    missed = high - low - protocol.coverage_mm
    shift = clipped_normal(stream(patient.seed, f"coverage {protocol.name}"), 0.0, PLACEMENT_SD_MM)
    bottom = low + (MISSED_BELOW_SHARE if missed > 0 else 0.5) * missed + shift
    return bottom, bottom + protocol.coverage_mm


def native_ctp_grid(patient: Patient, protocol: Protocol) -> Grid:
    """The protocol's own grid in the head's frame, RAS: its matrix in plane, its slices over its coverage."""
    bottom, _ = coverage(patient, protocol)
    affine = np.diag([protocol.pixel_mm, protocol.pixel_mm, protocol.slice_mm, 1.0])
    affine[:2, 3] = np.asarray(patient.head.offset_mm)[:2] / 2 - protocol.pixel_mm * (protocol.matrix - 1) / 2
    affine[2, 3] = bottom + protocol.slice_mm / 2
    return Grid((protocol.matrix, protocol.matrix, protocol.slices), affine, protocol.slice_mm)
