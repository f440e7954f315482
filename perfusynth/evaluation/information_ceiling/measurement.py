"""The visible summaries as they are measured in a rendered NCCT, by an observer who knows the anatomy exactly.

The observer is told where each voxel lies in the template, which artery runs through it, and how much grey and white
matter it holds, because these can be read off the image far better than a stroke can; he is not told the patient's own
HU, white matter disease, old lesions, the left-right field, or the scanner's offsets: these are the noise. What lies in
a region as a whole, sulci included, is measured by the head's pose alone: how wide a sulcus was before it swelled is
not known from anything. Around an artery he knows what tissue and CSF lie there in a typical patient, not in this one:
in one voxel of a 5 mm slab, lumen and brain cannot be told apart. Measuring in the rendered image rather than
drawing the noise from a model keeps whatever is not Gaussian in it, and needs no second description of the phantom.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.spatial import cKDTree

from perfusynth.evaluation.information_ceiling import arteries
from perfusynth.evaluation.information_ceiling.regions import region_labels
from perfusynth.evaluation.information_ceiling.visible import PART_COUNT, PIECE_COUNT, REGION_COUNT, typical_tissue
from perfusynth.phantom.arteries.lumen import NCCT_EDGE_MM, lumen_at
from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.ct.ncct import render_ncct
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.ct.traits import BLOOD_HU, CSF_HU, GREY_MINUS_WHITE_HU, WHITE_HU
from perfusynth.phantom.grid import Grid, Planes, planes_of
from perfusynth.phantom.head.pose import HEAD_CENTRE
from perfusynth.phantom.lattice import BRAIN, sample, stream
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.render import MODEL_GRID, model_grid
from perfusynth.phantom.scene import Scene, scene_of

#: Voxels with at most this share of CSF count as tissue [d].
CSF_SHARE_MAX = 0.15
#: Plausible HU of tissue: a few voxels of bone or old infarct do not decide a region's mean [d].
TISSUE_HU = (2.0, 60.0)
#: Limits to which HU are held in the mean of all that lies in a region: neither bone nor air decides it [d].
WHOLE_HU = (0.0, 60.0)
#: Around an artery, voxels beyond these HU (air, bone, plaque) and their neighbours are left out [d].
VESSEL_HU = (-15.0, 85.0)
#: Box that holds the arteries and their surroundings: two corners, MNI mm.
ARTERIES_BOX_MM = (-56.0, -60.0, -66.0), (56.0, 58.0, 26.0)
#: Surroundings of an artery in plane, mm [d].
SURROUNDINGS_MM = 5.0
#: What the least squares take a voxel's HU to scatter by, and a lumen's HU about that of blood: a piece that hardly
#: fills a voxel is held to be blood rather than anything (SD) [d].
VOXEL_SD_HU, LUMEN_SD_HU = 5.0, 8.0


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured in one NCCT.

    Parameters
    ----------
    values
        HU of each summary, as `visible.NAMES`: mean of a region's tissue beyond what its grey and white matter would
        have in the average patient; mean of all in it; inside a piece of artery.
    gain
        ``(pieces, parts)``: HU of each piece by HU of clot in each part of each: neighbours share voxels.
    """

    values: np.ndarray
    gain: np.ndarray


def measure(patient: Patient) -> Measured:
    """Render the patient's NCCT by one of the training scanners and measure the summaries in it (about 1.5 s)."""
    rng = stream(patient.seed, "information ceiling")
    training = sorted(name for name, scanner in SCANNERS.items() if scanner.training)
    scanner = SCANNERS[training[int(rng.integers(len(training)))]]
    scene, grid = scene_of(patient), model_grid(patient)
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
        found.append(_lumen_parts(scene, planes, grid))
    part, voxel, share, vessels, around = zip(*found, strict=True)
    shape = (PART_COUNT, ncct.size)
    parts = sparse.csr_array((np.concatenate(share), (np.concatenate(part), np.concatenate(voxel))), shape=shape)
    lumen_hu, gain = _lumen_hu(ncct, np.sum(around, axis=0), parts, np.sum(vessels, axis=0))
    return Measured(np.concatenate([tissue.means, whole.means, lumen_hu]), gain)


def _lumen_hu(
    ncct: np.ndarray, around: np.ndarray, parts: sparse.csr_array, vessels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """HU inside each piece of artery, and its gain, by least squares on what each voxel near it holds.

    A voxel's HU is that of the piece, of other vessels, and of the surroundings, each by its share. ``around`` is what
    tissue and CSF at this place add in a typical patient; how far this one's cisterns differ is noise. ``vessels`` is
    the share of all vessels in each voxel, ``parts`` that of each part ``(parts, voxels)``.
    """
    usable = ~ndimage.binary_dilation((ncct < VESSEL_HU[0]) | (ncct > VESSEL_HU[1]), structure=np.ones((3, 3, 1)))
    radius = round(SURROUNDINGS_MM / MODEL_GRID.spacing_mm)
    x, y = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x**2 + y**2 <= radius**2)[:, :, None]
    per_piece = PART_COUNT // PIECE_COUNT
    values, gain = np.full(PIECE_COUNT, BLOOD_HU[0]), np.zeros((PIECE_COUNT, PART_COUNT))
    for i in range(PIECE_COUNT):
        own = np.asarray(parts[[*range(i * per_piece, (i + 1) * per_piece)]].sum(axis=0)).reshape(ncct.shape)
        at = np.nonzero(own > 0)
        if not len(at[0]):
            continue
        box = tuple(
            slice(max(int(k.min()) - m, 0), int(k.max()) + m + 1) for k, m in zip(at, (radius, radius, 0), strict=True)
        )
        near = ndimage.binary_dilation(own[box] > 0, structure=disk) & usable[box]
        share, all_vessels = own[box][near], np.clip(vessels[box][near], 0, 1)
        design = np.column_stack([share, np.clip(all_vessels - share, 0, 1), 1 - all_vessels])
        held = np.diag([(VOXEL_SD_HU / LUMEN_SD_HU) ** 2] * 2 + [0.0])
        inverse = np.linalg.inv(design.T @ design + held + 1e-6 * np.eye(3))
        row = inverse[0] @ design.T
        values[i] = row @ (ncct[box] - around[box])[near] + BLOOD_HU[0] * float(inverse[0] @ held.sum(axis=1))
        flat = np.ravel_multi_index(tuple(k + s.start for k, s in zip(np.nonzero(near), box, strict=True)), ncct.shape)
        gain[i] = parts[:, flat] @ row
    return values, gain


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


def _lumen_parts(scene: Scene, planes: Planes, grid: Grid) -> tuple[np.ndarray, ...]:
    """Part of an artery, voxel of the grid, and the part's share 0-1 in it, wherever there is any; then two volumes.

    These, 0 outside ``planes``: the share of all vessels, and the HU that typical tissue and CSF add around them.
    """
    points, patient = planes.points.reshape(3, -1), scene.patient
    arterial, venous = (lumen_at(points, patient, veins=veins, edge_mm=NCCT_EDGE_MM) for veins in (False, True))
    tree = tree_of(patient)
    part = np.full(len(arterial.at), -1)
    for vessel in arteries.vessels():
        segment = tree.index(vessel.artery, vessel.side)
        here = np.flatnonzero(arterial.segment == segment)
        line = tree.segments[segment].points
        _, node = cKDTree(line).query(points[:, arterial.at[here]].T)
        within = np.digitize(node / (len(line) - 1), vessel.part_edges[:-1]) - 1
        part[here] = np.where(within >= 0, vessel.first * arteries.PARTS_PER_PIECE + within, -1)
    everything = np.zeros(points.shape[1], dtype=np.float32)
    for lumen in (venous, arterial):
        everything[lumen.at] = np.maximum(everything[lumen.at], lumen.share)
    around = np.zeros(points.shape[1], dtype=np.float32)
    low, high = (np.array(corner)[:, None] for corner in ARTERIES_BOX_MM)
    at = np.flatnonzero(((points > low) & (points < high)).all(axis=0))
    grey, white, _ = typical_tissue()
    brain_share, grey_share = sample(grey + white, BRAIN, points[:, at]), sample(grey, BRAIN, points[:, at])
    typical = CSF_HU[0] + (WHITE_HU[0] - CSF_HU[0]) * brain_share + GREY_MINUS_WHITE_HU[0] * grey_share
    around[at] = (1 - everything[at]) * typical
    volumes = np.zeros((2, *grid.shape), dtype=np.float32)
    for volume, values in zip(volumes, (everything, around), strict=True):
        volume[planes.where] = planes.averaged(values)
    seen = part >= 0
    x, y, z = np.unravel_index(arterial.at[seen], planes.points.shape[1:])
    voxel = tuple(i + s.start for i, s in zip((x, y, z // planes.per_slab), planes.where, strict=True))
    return part[seen], np.ravel_multi_index(voxel, grid.shape), arterial.share[seen] / planes.per_slab, *volumes
