"""Contrast in the vessels of a perfusion series: open arteries, those behind a clot, and veins."""

from dataclasses import dataclass

import numpy as np

from perfusynth.phantom.arteries.filling import BEHIND_CLOT, lost_at
from perfusynth.phantom.arteries.lumen import NCCT_EDGE_MM, lumen_at
from perfusynth.phantom.ctp.kinetics import FINE_STEP_S, Bolus, transported
from perfusynth.phantom.grid import Grid, planes_of
from perfusynth.phantom.lattice import BRAIN, sample
from perfusynth.phantom.scene import Scene

#: Of the delay of the tissue around it, the share after which an artery behind the clot fills, and its dispersion, s:
#: collaterals fill the arteries backwards before the tissue [d].
ARTERY_DELAY_SHARE, COLLATERAL_DISPERSION_S = 0.6, 2.0


@dataclass(frozen=True, eq=False)
class VesselCurves:
    """Voxels with vessels, ``(n,)`` each, and the curves that fill them.

    ``at`` are flat indices in the grid; ``open, behind, venous`` the shares of the voxel that fill with the arterial
    input, late behind a clot (contrast relative to the input), and with the venous output; ``delay_s`` is of the
    second. ``late`` is the dispersed arterial input on the bolus' axis, HU.
    """

    at: np.ndarray
    open: np.ndarray
    behind: np.ndarray
    venous: np.ndarray
    delay_s: np.ndarray
    bolus: Bolus
    late: np.ndarray

    def enhancement(self, time_s: float) -> np.ndarray:
        """HU that the contrast adds to the voxels ``at``, float32."""
        late = np.interp(time_s - self.delay_s, self.bolus.time_s, self.late)
        aif, vof = (float(curve(np.array(time_s))) for curve in (self.bolus.aif_at, self.bolus.vof_at))
        return (self.open * aif + self.behind * late + self.venous * vof).astype(np.float32)


def vessel_curves(scene: Scene, grid: Grid, bolus: Bolus) -> VesselCurves:
    """The vessels on ``grid`` (in the head's frame), averaged over its slabs."""
    patient = scene.patient
    found: list[tuple[np.ndarray, ...]] = []
    for planes in planes_of(scene.placement, grid):
        points = planes.points.reshape(3, -1)
        shape = (*planes.points.shape[1:3], planes.points.shape[3] // planes.per_slab)
        count = int(np.prod(shape))
        arteries = lumen_at(points, patient, edge_mm=NCCT_EDGE_MM)
        veins = lumen_at(points, patient, veins=True, edge_mm=NCCT_EDGE_MM)
        lost = lost_at(points, arteries, patient)
        blood = (arteries.share - arteries.clot) / planes.per_slab
        voxel = arteries.at // planes.per_slab

        def summed(where: np.ndarray, values: np.ndarray, n: int = count) -> np.ndarray:
            return np.bincount(where, values, minlength=n)

        filled = summed(voxel, (1 - lost) * blood)
        behind = summed(voxel, lost * blood)
        venous = summed(veins.at // planes.per_slab, veins.share / planes.per_slab)
        rows = np.flatnonzero(filled + behind + venous > 0)
        centres = planes.centres(scene.placement, grid).reshape(3, -1)[:, rows]
        delay = ARTERY_DELAY_SHARE * sample(scene.haemodynamics.delay_s, BRAIN, centres)
        x, y, z = np.unravel_index(rows, shape)
        place = (x + planes.columns[0].start, y + planes.columns[1].start, z + planes.slabs.start)
        found.append((np.ravel_multi_index(place, grid.shape), filled[rows], behind[rows], venous[rows], delay))
    at, filled, behind, venous, delay = (np.concatenate(parts) for parts in zip(*found, strict=True))
    behind = behind * BEHIND_CLOT[patient.stroke.collaterals]
    late = transported(bolus.aif, COLLATERAL_DISPERSION_S, FINE_STEP_S)
    return VesselCurves(at, filled, behind, venous, delay, bolus, late)
