"""The inside of arteries and veins at any points: how much of each point is lumen, of which vessel, and clot."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from perfusynth.phantom.arteries.branching import Tree
from perfusynth.phantom.arteries.clot import clot_of
from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.arteries.veins import veins_of
from perfusynth.phantom.head.pose import Placement, placement_of
from perfusynth.phantom.lattice import HEAD
from perfusynth.phantom.patient import Patient

#: Width over which a vessel's edge blends, mm: about that of a thin slice's pixel.
EDGE_MM = 0.7
#: The same for thick slabs of NCCT, mm.
NCCT_EDGE_MM = 1.0
#: Step at which the head's own stretching is measured, mm.
STRETCH_STEP_MM = 3.0
#: Vessels thinner than this are absent, mm.
RADIUS_MIN_MM = 0.05
#: How far around a vessel points are looked at is rounded up to a multiple of this, MNI mm.
REACH_STEP_MM = 1.0
#: Points that are looked up at once.
SEARCH_POINTS = 100_000
#: Points of the template lie closer together in the head than in MNI mm by no more than this factor.
SHRINKING = 0.8


@dataclass(frozen=True, eq=False)
class Lumen:
    """The points that lie in vessels.

    Parameters
    ----------
    at
        Indices of the points, ascending.
    share
        How much of the point is lumen, float32 0-1.
    segment
        Index of the vessel in its tree.
    clot
        How much of the point is clot, float32, at most ``share``.
    """

    at: np.ndarray
    share: np.ndarray
    segment: np.ndarray
    clot: np.ndarray


@dataclass(frozen=True, eq=False)
class _Samples:
    """All points of a tree's centre lines in one patient's head, ready to be searched.

    ``metric`` ``(n, 3, 3)`` takes an offset from the point (MNI mm) into the living head (mm); ``tangent`` is a unit
    vector there; ``back, forth`` the distances to the neighbours, mm; ``slope`` the change of radius per mm; ``near``
    (bool, on `HEAD`) the voxels within reach of a vessel.
    """

    points: np.ndarray
    segment: np.ndarray
    share: np.ndarray
    radius: np.ndarray
    slope: np.ndarray
    metric: np.ndarray
    tangent: np.ndarray
    back: np.ndarray
    forth: np.ndarray
    size: float
    search: cKDTree
    near: np.ndarray

    @property
    def widest(self) -> float:
        """The largest radius, mm."""
        return float(self.radius.max())


def _samples(tree: Tree, placement: Placement, size: float) -> _Samples:
    present = [k for k, s in enumerate(tree.segments) if s.radii_mm[0] > RADIUS_MIN_MM]
    lines = [tree.segments[k] for k in present]
    points = np.concatenate([s.points for s in lines]).astype(np.float32)
    radius = np.concatenate([s.radii_mm for s in lines])
    tangents = np.concatenate([np.gradient(s.points, axis=0) for s in lines])
    first = np.zeros(len(points), dtype=bool)
    first[np.cumsum([0] + [len(s.points) for s in lines[:-1]])] = True
    last = np.roll(first, -1)
    metric = _metric(placement, points)
    towards = np.einsum("nij,nj->ni", metric, tangents)
    step = np.linalg.norm(towards, axis=1)
    tapering = np.concatenate([np.gradient(s.radii_mm) for s in lines]) / step
    # Nearest by distance^2 - radius^2, so that a thick vessel is found before the thin one that leaves it.
    lifted = np.sqrt(np.maximum(radius.max() ** 2 - radius**2, 0))
    return _Samples(
        points=points,
        segment=np.repeat(present, [len(s.points) for s in lines]),
        share=np.concatenate([np.linspace(0, 1, len(s.points)) for s in lines]).astype(np.float32),
        radius=radius,
        slope=tapering.astype(np.float32),
        metric=metric,
        tangent=(towards / step[:, None]).astype(np.float32),
        back=np.where(first, 0, step).astype(np.float32),
        forth=np.where(last, 0, step).astype(np.float32),
        size=size,
        search=cKDTree(np.column_stack([size * points, lifted])),
        near=_near(points, radius / size),
    )


def _metric(placement: Placement, points: np.ndarray) -> np.ndarray:
    """How the head stretches the template at MNI points ``(n, 3)``: ``(n, 3, 3)``, MNI mm to mm."""
    centres = placement.to_head(points.T)
    columns = []
    for axis in range(3):
        step = np.zeros((3, 1))
        step[axis] = STRETCH_STEP_MM
        ahead, behind = placement.to_template(centres + step), placement.to_template(centres - step)
        columns.append((ahead - behind).T / (2 * STRETCH_STEP_MM))
    return np.linalg.inv(np.stack(columns, axis=2)).astype(np.float32)


def _near(points: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Voxels of `HEAD` (bool) within reach of centre lines ``(n, 3)`` with radii ``(n,)``, MNI mm."""
    near = np.zeros(HEAD.shape, dtype=bool)
    voxel = np.ravel_multi_index(tuple(np.round(HEAD.index(points.T)).astype(int)), HEAD.shape, mode="clip")
    # Half a voxel's diagonal for rounding the sample, and again for rounding the points that will be asked for.
    reach = (radius + NCCT_EDGE_MM) / SHRINKING + np.sqrt(3) * HEAD.step_mm
    step = np.ceil(reach / REACH_STEP_MM).astype(int)
    for size in np.unique(step):
        cells = size * REACH_STEP_MM / HEAD.step_mm
        span = np.arange(-int(cells), int(cells) + 1)
        ball = np.stack([a.ravel() for a in np.meshgrid(span, span, span, indexing="ij")])
        ball = ball[:, (ball**2).sum(axis=0) <= cells**2]
        centre = np.stack(np.unravel_index(np.unique(voxel[step == size]), HEAD.shape))
        where = (centre[:, :, None] + ball[:, None, :]).reshape(3, -1)
        near.ravel()[np.ravel_multi_index(tuple(where), HEAD.shape, mode="clip")] = True
    return near


@lru_cache(maxsize=2)
def _searchable(patient: Patient) -> tuple[_Samples, _Samples]:
    """A patient's arteries and veins (about 0.1 s)."""
    placement, size = placement_of(patient), float(np.mean(patient.head.scale))
    return _samples(tree_of(patient), placement, size), _samples(veins_of(patient), placement, size)


def _profile(distance: np.ndarray, radius: np.ndarray, edge_mm: float) -> np.ndarray:
    """Share 0-1 of lumen by distance from the axis; its integral over the cross-section is that of the true disc."""
    # A ramp of width ``edge`` about the radius adds edge^2/12 to radius^2; thin vessels become fainter cones.
    edge = np.minimum(edge_mm, np.sqrt(3) * radius)
    ramp = (np.sqrt(radius**2 - edge**2 / 12) - distance) / edge + 0.5
    cone = 3 * radius**2 / edge_mm**2 * (1 - distance / edge_mm)
    return np.clip(np.where(radius * np.sqrt(3) < edge_mm, cone, ramp), 0, 1)


def _near_points(points: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Indices of the MNI points ``(3, n)`` that lie in voxels ``near`` of `HEAD`; in pieces that stay in the cache."""
    found = [np.zeros(0, dtype=np.intp)]
    for first in range(0, points.shape[1], SEARCH_POINTS):
        voxel = np.floor(HEAD.index(points[:, first : first + SEARCH_POINTS]) + np.float32(0.5)).astype(np.int32)
        flat = (voxel[0] * HEAD.shape[1] + voxel[1]) * HEAD.shape[2] + voxel[2]
        at = np.flatnonzero(near.ravel().take(flat, mode="clip"))
        inside = ((voxel[:, at] >= 0) & (voxel[:, at] < np.array(HEAD.shape)[:, None])).all(axis=0)
        found.append(first + at[inside])
    return np.concatenate(found)


def lumen_at(points: np.ndarray, patient: Patient, *, veins: bool = False, edge_mm: float = EDGE_MM) -> Lumen:
    """Arteries (or veins) at MNI points ``(3, n)``; an edge blends over ``edge_mm`` (at most `NCCT_EDGE_MM`)."""
    samples = _searchable(patient.without_deficit())[1 if veins else 0]
    at = _near_points(points, samples.near)
    query = np.zeros((len(at), 4))
    query[:, :3] = points[:, at].T * samples.size
    found, nearest = samples.search.query(query, distance_upper_bound=1.25 * (samples.widest + edge_mm))
    at, nearest = at[np.isfinite(found)], nearest[np.isfinite(found)]
    offset = np.einsum("nij,jn->ni", samples.metric[nearest], points[:, at] - samples.points[nearest].T)
    along = (offset * samples.tangent[nearest]).sum(axis=1)
    along = np.clip(along, -samples.back[nearest], samples.forth[nearest])
    distance = np.linalg.norm(offset - along[:, None] * samples.tangent[nearest], axis=1)
    radius = samples.radius[nearest] + samples.slope[nearest] * along
    share = _profile(distance, radius, edge_mm)
    inside = np.flatnonzero(share > 0)
    at, nearest, share = at[inside], nearest[inside], share[inside].astype(np.float32)
    segment = samples.segment[nearest]
    clot = np.zeros_like(share)
    if not veins:
        for piece in clot_of(patient):
            within = (segment == piece.segment) & (samples.share[nearest] >= piece.start)
            clot = np.where(within & (samples.share[nearest] <= piece.end), share, clot)
    return Lumen(at, share, segment, clot)


def add_arteries(hu: np.ndarray, points: np.ndarray, patient: Patient) -> None:
    """Put the blood of arteries and veins, then the clot, into ``hu`` ``(n,)`` at MNI points ``(3, n)``, in place."""
    blood_hu = np.float32(patient.attenuation.blood_hu)
    found: Mapping[bool, Lumen] = {
        veins: lumen_at(points, patient, veins=veins, edge_mm=NCCT_EDGE_MM) for veins in (True, False)
    }
    for lumen in found.values():
        hu[lumen.at] += lumen.share * (blood_hu - hu[lumen.at])
    # Last, and alone: with a contrast of 0 this adds exact zeros, so that the twin is bit-identical.
    hu[found[False].at] += np.float32(patient.stroke.clot_contrast_hu) * found[False].clot
