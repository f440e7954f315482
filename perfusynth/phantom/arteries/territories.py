"""Vascular territories: every branch of the tree supplies the tissue nearest to it, with soft borders.

Distances from the nominal branches are kept once per process. A patient's borders differ by the displacement of his
vessels and by the strengths of his branches. Territories go on beyond the brain's surface.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from perfusynth.phantom.arteries.branching import Segment
from perfusynth.phantom.arteries.supply import lost_shares
from perfusynth.phantom.arteries.tree import nominal_tree
from perfusynth.phantom.arteries.wander import displacement_on_lattice
from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.lattice import BRAIN, BRAIN_COARSE, stream, upsample
from perfusynth.phantom.patient import Patient

#: Width of the soft border between two branches, mm.
BORDER_MM = 3.0
#: SD of a branch's strength, relative: with equal distances of 20 mm a border moves by about 2 mm [d].
STRENGTH_SD = 0.10
#: Reach of each territory's branches, relative: distances are divided by it [d, fitted to published volumes].
REACH = {
    "MCA-sup": 1.09,
    "MCA-inf": 1.08,
    "LSA": 1.08,
    "ACA": 1.06,
    "PCA": 1.38,
    "AChA": 0.8,
    "thalamic": 1.1,
    "pontine": 1.0,
    "SCA": 1.0,
    "AICA": 0.8,
    "PICA": 1.0,
}
#: Territories below the tentorium.
FOSSA = ("pontine", "SCA", "AICA", "PICA")
#: Medullary arteries go on inwards from branches on the surface by these depths, MNI mm [d].
PENETRATING_MM = (8.0, 16.0, 24.0)
#: Distance that crossing the falx or the tentorium counts for, mm [d].
BARRIER_MM = 40.0
#: Softness of the falx, mm; of the tentorium, mm.
FALX_SOFT_MM, TENTORIUM_SOFT_MM = 1.6, 2.0
#: Branches that compete for one voxel at most.
COMPETITORS = 10
#: Territories are known up to this distance beyond the brain's surface, mm.
MARGIN_MM = 10.0


@dataclass(frozen=True, eq=False)
class _Nominal:
    """For each voxel (flat index in `BRAIN_COARSE`) its nearest branches and their weighted distances.

    ``branch, distance`` ``(COMPETITORS, voxels)``; ``branches`` are indices of segments.
    """

    voxels: np.ndarray
    branches: np.ndarray
    branch: np.ndarray
    distance: np.ndarray


def below_tentorium() -> np.ndarray:
    """Soft share 0-1 of `BRAIN_COARSE` that is supplied from below the tentorium: cerebellum, pons and medulla."""
    x, y, z = BRAIN_COARSE.axes()
    lateral = np.abs(x)
    cerebellum = np.minimum(-(z + 6.0 + 0.30 * lateral + 0.22 * np.maximum(-(y + 45), 0)), -(y + 30))
    brainstem = np.minimum(np.minimum(16 - lateral, -(y + 6)), -(z + 19))
    return 0.5 * (1 + np.tanh(np.maximum(cerebellum, brainstem) / np.float32(TENTORIUM_SOFT_MM)))


def _feeding_points(segment: Segment, inward: tuple[np.ndarray, ...]) -> np.ndarray:
    """Points ``(n, 3)`` of a branch and of its medullary arteries."""
    points = segment.points[::2]
    if segment.supplies not in ("MCA-sup", "MCA-inf"):
        return points
    index = BRAIN.index(points.T)
    depth = ndimage.map_coordinates(atlas().depth, index, order=1)
    shallow = depth > -6.0
    direction = np.stack([ndimage.map_coordinates(g, index, order=1) for g in inward], axis=1)[shallow]
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 0.3)
    return np.concatenate([points, *(points[shallow] - mm * direction for mm in PENETRATING_MM)])


@lru_cache(maxsize=1)
def _nominal() -> _Nominal:
    segments = nominal_tree().segments
    branches = np.array([k for k, s in enumerate(segments) if s.supplies])
    depth = upsample(atlas().depth, BRAIN, BRAIN_COARSE)
    voxels = np.flatnonzero(depth < MARGIN_MM)
    x, y, z = (np.broadcast_to(a, BRAIN_COARSE.shape).ravel()[voxels] for a in BRAIN_COARSE.axes())
    at = np.stack([x, y, z], axis=1).astype(np.float32)
    fossa = below_tentorium().ravel()[voxels]
    right = 0.5 * (1 + np.tanh(x / FALX_SOFT_MM))
    inward = tuple(np.gradient(atlas().depth, BRAIN.step_mm))
    squared = (at**2).sum(axis=1)
    distance = np.empty((len(branches), len(voxels)), dtype=np.float32)
    for row, branch in enumerate(branches):
        segment = segments[branch]
        points = _feeding_points(segment, inward)
        nearest = (squared[:, None] - 2 * at @ points.T + (points**2).sum(axis=1)).min(axis=1)
        foreign = fossa if segment.supplies not in FOSSA else 1 - fossa
        across = 1 - right if segment.side == "right" else right
        distance[row] = np.sqrt(np.maximum(nearest, 0)) / REACH[str(segment.supplies)]
        distance[row] += BARRIER_MM * (foreign + across)
    order = np.argpartition(distance, COMPETITORS, axis=0)[:COMPETITORS]
    chosen = np.take_along_axis(distance, order, axis=0)
    return _Nominal(voxels, branches, order.astype(np.intp), chosen / np.float32(BORDER_MM))


def _shares(patient: Patient, wanted: np.ndarray) -> np.ndarray:
    """Share 0-1 on `BRAIN_COARSE` of the supply that comes from branches, by their weights ``wanted`` (segments)."""
    fixed = _nominal()
    rng = stream(patient.seed, "strength of branches")
    strength = np.exp(STRENGTH_SD * np.clip(rng.standard_normal(len(fixed.branches)), -2, 2)).astype(np.float32)
    weight = np.exp(-fixed.distance * strength[fixed.branch])
    share = (weight * wanted[fixed.branches].astype(np.float32)[fixed.branch]).sum(axis=0) / weight.sum(axis=0)
    field = np.zeros(BRAIN_COARSE.shape, dtype=np.float32)
    field.ravel()[fixed.voxels] = share
    moved = displacement_on_lattice(patient).reshape(3, -1)[:, fixed.voxels] / np.float32(BRAIN_COARSE.step_mm)
    index = np.stack(np.unravel_index(fixed.voxels, BRAIN_COARSE.shape)).astype(np.float32) - moved
    result = np.zeros_like(field)
    result.ravel()[fixed.voxels] = ndimage.map_coordinates(field, index, order=1, mode="nearest", output=np.float32)
    return result


def territory(patient: Patient, names: tuple[str, ...], side: str | None = None) -> np.ndarray:
    """Membership 0-1 on `BRAIN_COARSE` of the territories ``names`` (keys of `REACH`), of one side or of both."""
    segments = nominal_tree().segments
    return _shares(patient, np.array([s.supplies in names and side in (None, s.side) for s in segments]))


def occluded_share(patient: Patient) -> np.ndarray:
    """Share 0-1 of each voxel's supply that the patient's occlusion cuts off; float32 on `BRAIN_COARSE`."""
    lost = lost_shares(patient)
    return _shares(patient, lost) if lost.any() else np.zeros(BRAIN_COARSE.shape, dtype=np.float32)
