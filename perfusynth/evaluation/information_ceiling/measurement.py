"""The visible summaries as they are measured in a rendered NCCT, by an observer who knows the anatomy exactly.

The observer is told where each voxel lies in the template, which artery runs through it, and how much grey and white
matter it holds, because these can be read off the image far better than a stroke can; he is not told the patient's own
HU, white matter disease, old lesions, the left-right field, or the scanner's offsets: these are the noise. What lies in
a region as a whole, sulci included, is measured by the head's pose alone: how wide a sulcus was before it swelled is
not known from anything. Measuring in the rendered image rather than
drawing the noise from a model keeps whatever is not Gaussian in it, and needs no second description of the phantom.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from perfusynth.evaluation.information_ceiling import arteries
from perfusynth.evaluation.information_ceiling.regions import region_labels
from perfusynth.evaluation.information_ceiling.visible import PART_COUNT, PIECE_COUNT, REGION_COUNT
from perfusynth.phantom.arteries.lumen import NCCT_EDGE_MM, lumen_at
from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.ct.ncct import render_ncct
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.ct.traits import GREY_MINUS_WHITE_HU, WHITE_HU
from perfusynth.phantom.grid import Grid, Planes, brain_extent, planes_of
from perfusynth.phantom.head.pose import HEAD_CENTRE
from perfusynth.phantom.lattice import BRAIN, sample, stream
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.render import MODEL_GRID
from perfusynth.phantom.scene import Scene, scene_of

#: Voxels with at most this share of CSF count as tissue [d].
CSF_SHARE_MAX = 0.15
#: Plausible HU of tissue: a few voxels of bone or old infarct do not decide a region's mean [d].
TISSUE_HU = (2.0, 60.0)
#: Limits to which HU are held in the mean of all that lies in a region: neither bone nor air decides it [d].
WHOLE_HU = (0.0, 60.0)


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured in one NCCT.

    Parameters
    ----------
    values
        HU of each summary, as `visible.NAMES`: mean of a region's tissue beyond what its grey and white matter would
        have in the average patient; mean of all in it; mean over a piece of artery.
    gain
        ``(pieces, parts)``: HU of each piece by HU of clot in each part of each: partial volume, and neighbours in one
        voxel.
    """

    values: np.ndarray
    gain: np.ndarray


def observer_grid(patient: Patient) -> Grid:
    """The model grid about the patient's brain, in the head's frame."""
    low, high = brain_extent(patient)
    step = np.array([MODEL_GRID.spacing_mm, MODEL_GRID.spacing_mm, MODEL_GRID.slab_mm])
    shape = (MODEL_GRID.size, MODEL_GRID.size, int(np.ceil((high[2] - low[2]) / MODEL_GRID.slab_mm)))
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = (low + high) / 2 - step * (np.array(shape) - 1) / 2
    return Grid(shape, affine, MODEL_GRID.slab_mm)


def measure(patient: Patient) -> Measured:
    """Render the patient's NCCT by one of the training scanners and measure the summaries in it (about 1.5 s)."""
    rng = stream(patient.seed, "information ceiling")
    training = sorted(name for name, scanner in SCANNERS.items() if scanner.training)
    scanner = SCANNERS[training[int(rng.integers(len(training)))]]
    scene, grid = scene_of(patient), observer_grid(patient)
    ncct, brain = render_ncct(scene, grid, scanner, int(rng.integers(1 << 31)))
    tissue, whole = (_RegionMeans() for _ in range(2))
    found = []
    for planes in planes_of(scene.placement, grid, brain_only=True):
        hu, points = ncct[planes.where].ravel(), planes.centres(scene.placement, grid).reshape(3, -1)
        inside = np.flatnonzero(brain[planes.where].ravel())
        hu, points = hu[inside], points[:, inside]
        _add_tissue(scene, points, hu, tissue)
        posed = _by_pose(scene, grid, planes, inside)
        whole.add(region_labels(*posed), np.clip(hu, *WHOLE_HU))
        found.append(_lumen_parts(planes, grid, patient))
    part, voxel, share = (np.concatenate(column) for column in zip(*found, strict=True))
    parts = sparse.csr_array((share, (part, voxel)), shape=(PART_COUNT, ncct.size))
    pieces = sparse.csr_array(np.kron(np.eye(PIECE_COUNT), np.ones(PART_COUNT // PIECE_COUNT))) @ parts
    total = np.maximum(pieces.sum(axis=1), 1e-3)
    values = np.concatenate([tissue.means, whole.means, (pieces @ ncct.ravel()) / total])
    return Measured(values, (pieces @ parts.T).toarray() / total[:, None])


class _RegionMeans:
    """Means by region, over chunks."""

    def __init__(self) -> None:
        self._sums, self._counts = np.zeros(REGION_COUNT), np.zeros(REGION_COUNT)

    def add(self, labels: np.ndarray, values: np.ndarray) -> None:
        """Values ``(n,)`` of voxels with a label >= 0."""
        known = labels >= 0
        self._sums += np.bincount(labels[known], weights=values[known], minlength=REGION_COUNT)
        self._counts += np.bincount(labels[known], minlength=REGION_COUNT)

    @property
    def means(self) -> np.ndarray:
        """``(regions,)``; 0 where there was nothing."""
        return self._sums / np.maximum(self._counts, 1)


def _add_tissue(scene: Scene, points: np.ndarray, hu: np.ndarray, tissue: _RegionMeans) -> None:
    """Add the HU of tissue beyond what its grey and white matter would have in the average patient."""
    at = np.flatnonzero((hu > TISSUE_HU[0]) & (hu < TISSUE_HU[1]))
    csf = sample(scene.tissue.csf, BRAIN, points[:, at], outside=1.0)
    at, csf = at[csf < CSF_SHARE_MAX], csf[csf < CSF_SHARE_MAX]
    grey = sample(scene.tissue.grey, BRAIN, points[:, at])
    excess = hu[at] - (WHITE_HU[0] * (1 - csf) + GREY_MINUS_WHITE_HU[0] * grey)
    tissue.add(region_labels(*points[:, at]), excess)


def _by_pose(scene: Scene, grid: Grid, planes: Planes, inside: np.ndarray) -> np.ndarray:
    """MNI mm ``(3, n)`` of voxels (flat in the planes' slabs) by the head's pose and size, without its own shape."""
    shape = tuple(s.stop - s.start for s in planes.where)
    index = np.stack(np.unravel_index(inside, shape)) + np.array([[s.start] for s in planes.where])
    to_linear = scene.placement.linear @ grid.affine[:3, :3]
    offset = scene.placement.linear @ (grid.affine[:3, 3] - scene.placement.origin) + np.asarray(HEAD_CENTRE)
    return to_linear @ index + offset[:, None]


def _lumen_parts(planes: Planes, grid: Grid, patient: Patient) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Part of an artery, voxel of the grid, and the part's share 0-1 in it, wherever there is any."""
    points = planes.points.reshape(3, -1)
    lumen = lumen_at(points, patient, edge_mm=NCCT_EDGE_MM)
    tree = tree_of(patient)
    part = np.full(len(lumen.at), -1)
    for vessel in arteries.vessels():
        segment = tree.index(vessel.artery, vessel.side)
        here = np.flatnonzero(lumen.segment == segment)
        line = tree.segments[segment].points
        _, node = cKDTree(line).query(points[:, lumen.at[here]].T)
        within = np.digitize(node / (len(line) - 1), vessel.part_edges[:-1]) - 1
        part[here] = np.where(within >= 0, vessel.first * arteries.PARTS_PER_PIECE + within, -1)
    seen = part >= 0
    x, y, z = np.unravel_index(lumen.at[seen], planes.points.shape[1:])
    at = [i + s.start for i, s in zip((x, y, z // planes.per_slab), planes.where, strict=True)]
    return part[seen], np.ravel_multi_index(at, grid.shape), lumen.share[seen] / planes.per_slab
