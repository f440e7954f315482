"""Calcified plaque in the wall of the carotid siphons, as NCCT and CTA alike show it."""

from functools import lru_cache

import numpy as np

from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.lattice import stream
from perfusynth.phantom.patient import Patient

#: HU of plaque, and where along the ICA it lies (0-1): the siphon from the petrous to the supraclinoid part [d].
PLAQUE_HU, SIPHON = 700.0, (0.62, 0.93)
#: Pieces of plaque on one side; width over which their edge blends, mm.
PIECES, EDGE_MM = 5, 0.7


@lru_cache(maxsize=2)
def _pieces(patient: Patient) -> tuple[np.ndarray, np.ndarray]:
    """Centres (MNI mm, ``(n, 3)``) and radii (mm, ``(n,)``) of the pieces of plaque."""
    tree, rng = tree_of(patient), stream(patient.seed, "plaque")
    centres, radii = [np.zeros((0, 3))], [np.zeros(0)]
    for side, thickness in zip(("left", "right"), patient.attenuation.plaque_mm, strict=True):
        artery = tree.segments[tree.index("ICA", side)]
        at = np.round(rng.uniform(*SIPHON, PIECES) * (len(artery.points) - 1)).astype(int)
        outwards = rng.standard_normal((PIECES, 3))
        sizes = rng.uniform(0.5, 1.0, PIECES) * thickness
        if thickness > 0:
            outwards *= (artery.radii_mm[at] / np.linalg.norm(outwards, axis=1))[:, None]
            centres.append(artery.points[at] + outwards / np.mean(patient.head.scale))
            radii.append(sizes)
    return np.concatenate(centres), np.concatenate(radii)


def add_plaque(hu: np.ndarray, points: np.ndarray, patient: Patient) -> None:
    """Put plaque into ``hu`` ``(n,)`` at MNI points ``(3, n)``, in place; it does not depend on the stroke."""
    if not any(patient.attenuation.plaque_mm):
        return
    centres, radii = _pieces(patient.without_deficit())
    margin = float(radii.max()) + EDGE_MM
    low, high = centres.min(axis=0) - margin, centres.max(axis=0) + margin
    near = np.flatnonzero((points[2] > low[2]) & (points[2] < high[2]))
    near = near[((points[:2, near] > low[:2, None]) & (points[:2, near] < high[:2, None])).all(axis=0)]
    for centre, radius in zip(centres, radii, strict=True):
        close = near[(np.abs(points[:, near] - centre[:, None]) < margin).all(axis=0)]
        squared = ((points[:, close] - centre[:, None]) ** 2).sum(axis=0)
        distance = np.float32(np.mean(patient.head.scale)) * np.sqrt(squared)
        share = np.clip((np.float32(radius) - distance) / np.float32(EDGE_MM) + np.float32(0.5), 0, 1)
        hu[close] += share * (np.float32(PLAQUE_HU) - hu[close])
