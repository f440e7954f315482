"""What lies under the cursor, and at the mirrored point of the other half of the head."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .grid_volume import GridVolume
from .midplane import Midplane


class PointValues(NamedTuple):
    """Values of the voxels that hold a point; ``None`` outside the volume, and for the maps outside the brain.

    Attributes
    ----------
    ras
        Shape (3,), mm.
    hu, tmax_s, cbf
        HU, s, mL/100 g/min.
    """

    ras: np.ndarray
    hu: float | None
    tmax_s: float | None
    cbf: float | None


class ProbeReading(NamedTuple):
    """Values at a point and at its mirror image, which is ``None`` where the midplane is not known."""

    here: PointValues
    mirrored: PointValues | None


class Probe:
    """Looks values up; volumes may lie on grids of their own, in RAS mm all are one.

    Parameters
    ----------
    ncct, tmax, cbf
        HU, s, mL/100 g/min.
    brain
        Where the maps have values, on their grid.
    midplane
        Between the patient's halves.
    """

    def __init__(
        self, ncct: GridVolume, tmax: GridVolume, cbf: GridVolume, brain: GridVolume, midplane: Midplane | None
    ):
        self._midplane = midplane
        self._ncct, self._tmax, self._cbf, self._brain = (_Lookup(v) for v in (ncct, tmax, cbf, brain))

    def at(self, ras: np.ndarray) -> ProbeReading:
        """Values at a point, shape (3,), RAS mm."""
        here = np.asarray(ras, dtype=float)
        mirrored = None if self._midplane is None else self._values(self._midplane.mirrored(here))
        return ProbeReading(self._values(here), mirrored)

    def _values(self, ras: np.ndarray) -> PointValues:
        inside = bool(self._brain.at(ras))
        return PointValues(
            ras,
            self._ncct.at(ras),
            self._tmax.at(ras) if inside else None,
            self._cbf.at(ras) if inside else None,
        )


class _Lookup:
    """A volume, asked for the voxel that holds a point."""

    def __init__(self, volume: GridVolume):
        self._array = volume.array
        self._from_ras = np.linalg.inv(np.asarray(volume.affine, dtype=float))

    def at(self, ras: np.ndarray) -> float | None:
        index = np.floor(self._from_ras[:3, :3] @ ras + self._from_ras[:3, 3] + 0.5).astype(int)
        if (index < 0).any() or (index >= self._array.shape).any():
            return None
        return float(self._array[tuple(index)])


def probe_text(reading: ProbeReading) -> str:
    """Both points in one line each: ``HU 32 | Tmax 7.4 s | CBF 12.1 mL/100 g/min``."""
    lines = ["Here: " + _words(reading.here)]
    if reading.mirrored is not None:
        lines.append("Mirrored: " + _words(reading.mirrored))
    return "\n".join(lines)


def _words(values: PointValues) -> str:
    parts = [
        "outside the CT" if values.hu is None else f"{values.hu:.0f} HU",
        "" if values.tmax_s is None else f"Tmax {values.tmax_s:.1f} s",
        "" if values.cbf is None else f"CBF {values.cbf:.0f} mL/100 g/min",
    ]
    if values.tmax_s is None and values.hu is not None:
        parts.append("outside the brain mask")
    return ", ".join(part for part in parts if part)
