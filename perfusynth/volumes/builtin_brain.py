"""`BuiltinBrain`: the inside of the skull in an NCCT by thresholds and morphology; nothing to download."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.volumes.blocks import Factors, block_factors, block_max, block_mean, interpolate_blocks
from perfusynth.volumes.brain import BrainMask
from perfusynth.volumes.cropping import bounding_box
from perfusynth.volumes.geometry import nearest_ras, to_original_order
from perfusynth.volumes.volume import Volume

_CONNECTED = ndimage.generate_binary_structure(3, 1)


@dataclass(frozen=True)
class TissueLevel:
    """Block means from ``low_hu`` to ``high_hu`` are tissue; what a ball of ``opening_mm`` radius reaches is kept.

    The ball fits the brain, but no fissure of the skull base except the foramen magnum.
    """

    low_hu: float
    high_hu: float
    opening_mm: float


@dataclass(frozen=True)
class BrainLimits:
    """What the method takes for granted about heads; HU, mm, mL."""

    #: Working grid. 2.5 mm keeps the orbital roof (as a block's maximum) and is 100 times smaller than 0.5x0.5x1 mm.
    block_mm: float = 2.5
    #: Maximum of a block above which it holds bone; clotted blood stays below 95 HU plus noise.
    bone_hu: float = 160.0
    #: No bone of the skull base about the sella, and no calcification, reaches this in a voxel of an NCCT: it is metal.
    metal_hu: float = 1800.0
    #: Fat (-100), air and their partial volume lie below; CSF is 0-15.
    fat_hu: float = -30.0
    #: Tried in turn until the region no longer spills out of the skull.
    levels: tuple[TissueLevel, ...] = (
        TissueLevel(low_hu=-15.0, high_hu=95.0, opening_mm=5.0),  # any patient: blood up to 95, CSF with noise
        TissueLevel(low_hu=10.0, high_hu=62.0, opening_mm=7.0),  # blurred bone is a ridge of 55-90 HU: templates
        TissueLevel(low_hu=10.0, high_hu=54.0, opening_mm=8.0),
    )
    #: Radius of a ball that does not pass the foramen magnum (radius 15-17 mm), and how far the brain reaches beyond
    #: the places where such a ball fits (temporal poles, frontal base, vertex between thick bone).
    bulk_mm: float = 18.0
    reach_mm: float = 10.0
    #: Share of the region's surface that may face air or fat instead of bone.
    spill_share: float = 0.03
    #: Slices thicker than this (10 mm in CT perfusion) are compared with their own surroundings only.
    thick_mm: float = 8.0
    #: Cross-section below which the region has left the skull by the foramen magnum (30 x 35 mm: 8 cm2).
    canal_cm2: float = 9.0
    #: Voxels next to the skull are brain up to this value (half-way to bone would lie near 500; the dura is 60-100).
    edge_hu: float = 130.0
    #: Intracranial volumes: adults 1100-1800 mL, small children from 700; less where a scan is cut.
    smallest_ml: float = 300.0
    largest_ml: float = 2200.0


class BuiltinBrain:
    """A `BrainExtractor` out of thresholds, opening and refinement at full resolution.

    The brain here is what lies inside the inner table of the skull: parenchyma, ventricles, sulcal CSF, down to
    about the foramen magnum. Blood, calcification and metal inside count as inside.
    """

    method = "builtin_brain 2"

    def __init__(self, limits: BrainLimits | None = None):
        self.limits = limits or BrainLimits()

    def extract(self, ncct: Volume, *, on_progress: OnProgress = ignore_progress) -> BrainMask:
        """Find the brain in an NCCT.

        Parameters
        ----------
        ncct
            HU on an even orthogonal grid of any axis order; 0.4-2 mm by 0.6-7 mm voxels. Padding may be any value.
        on_progress
            Told half-way, before the refinement; it takes a second in all.

        Returns
        -------
        BrainMask
            On the same grid.

        Raises
        ------
        InputError
            Code ``no_brain``: no soft tissue of plausible volume lies inside a skull.
        Cancelled
            From ``on_progress``.
        """
        coarse = find_intracranial(ncct, self.limits)
        on_progress("brain", 0.5)
        mask = _refine(ncct, coarse, self.limits)
        volume = float(np.count_nonzero(mask)) * ncct.voxel_ml
        if not self.limits.smallest_ml <= volume <= self.limits.largest_ml:
            raise no_brain(f"{volume:.0f} mL", self.limits)
        return BrainMask(mask, self.method)


@dataclass(frozen=True, eq=False)
class Intracranial:
    """The inside of the skull on a grid of blocks.

    Parameters
    ----------
    inside
        bool, on the blocks' grid in nearest-RAS order.
    mean, peak
        Block means and maxima, HU, on that grid.
    blocks
        The block means in the scan's own axis order (the way back).
    factors
        Voxels a block along the scan's axes.
    spill
        Share of the surroundings that is air or fat.
    sharp
        Whether bone was dense enough to bound the region by itself.
    """

    inside: np.ndarray
    mean: Volume
    peak: Volume
    blocks: Volume
    factors: Factors
    spill: float
    sharp: bool

    @property
    def volume_ml(self) -> float:
        """Volume of ``inside``."""
        return float(np.count_nonzero(self.inside)) * self.mean.voxel_ml


def no_brain(got: str, limits: BrainLimits) -> InputError:
    """The error of an image without a brain inside a skull."""
    return InputError(
        "No brain inside a skull was found in this image.",
        expected=f"{limits.smallest_ml:.0f}-{limits.largest_ml:.0f} mL of soft tissue inside the skull",
        got=got,
        hint="Give a non-contrast head CT in HU that covers the skull from the base to the vertex.",
        code="no_brain",
    )


def find_intracranial(ncct: Volume, limits: BrainLimits) -> Intracranial:
    """Find the inside of the skull on a coarse grid.

    Raises
    ------
    InputError
        Code ``no_brain``.
    """
    factors = block_factors(ncct.spacing, limits.block_mm)
    blocks = block_mean(ncct, factors)
    mean, peak = nearest_ras(blocks), nearest_ras(block_max(ncct, factors))
    box = _bone_box(peak.array, limits)
    if box is None:
        raise no_brain("no bone", limits)
    hu, bone = mean.array[box], peak.array[box] >= limits.bone_hu
    smooth = ndimage.gaussian_filter(hu, [0.6 * min(1.0, limits.block_mm / s) for s in mean.spacing])
    best: tuple[float, int, np.ndarray] | None = None
    for number, level in enumerate(limits.levels):
        values = smooth if number else hu
        tissue = (values > level.low_hu) & (values < level.high_hu) & ~bone
        region = _largest_opened(tissue, mean.spacing, level.opening_mm, limits)
        if region is None:
            continue
        spill = _spill(region, hu, mean.spacing, limits)
        if best is None or spill < best[0]:
            best = (spill, number, region)
        if spill <= limits.spill_share:
            break
    if best is None:
        raise no_brain("no region of soft tissue inside bone", limits)
    inside = np.zeros(mean.shape, dtype=bool)
    inside[box] = _filled(best[2], bone, peak.array[box] >= limits.metal_hu)
    return Intracranial(inside, mean, peak, blocks, factors, best[0], sharp=best[1] == 0)


def _bone_box(peak: np.ndarray, limits: BrainLimits) -> tuple[slice, slice, slice] | None:
    """Bounding box of the head's bone, with two blocks of margin; a headrest's edge is too thin to matter."""
    bone = peak >= 2 * limits.bone_hu
    if not bone.any():
        return None
    slices = []
    for axis in range(3):
        present = np.flatnonzero(bone.sum(axis=tuple(a for a in range(3) if a != axis)) >= 4)
        if present.size == 0:
            return None
        slices.append(slice(max(0, int(present[0]) - 2), int(present[-1]) + 3))
    return slices[0], slices[1], slices[2]


def _largest_opened(
    tissue: np.ndarray, spacing: np.ndarray, opening_mm: float, limits: BrainLimits
) -> np.ndarray | None:
    """The opening's largest part, near the brain's bulk, cut at the foramen magnum."""
    tissue = ndimage.binary_fill_holes(tissue)
    depth = ndimage.distance_transform_edt(tissue, sampling=spacing)
    # A bulk that fits the brain and the neck, but not the foramen magnum between them.
    bulk_mm = min(limits.bulk_mm, 0.6 * float(depth.max()))
    bulk = _largest(depth > bulk_mm)
    if bulk is None or bulk_mm < opening_mm:
        return None
    near = ndimage.distance_transform_edt(~bulk, sampling=spacing) <= bulk_mm + limits.reach_mm
    core = _largest((depth > opening_mm) & near)
    if core is None:
        return None
    region = near & tissue & (ndimage.distance_transform_edt(~core, sampling=spacing) <= opening_mm)
    return _above_canal(region, spacing, limits.canal_cm2)


def _above_canal(region: np.ndarray, spacing: np.ndarray, canal_cm2: float) -> np.ndarray:
    """Follow the region down from its widest slice, and stop where its cross-section is that of the spinal canal.

    Each slice keeps what touches the slice above: what leaves by the foramen magnum and comes back up (neck, face)
    is left out.
    """
    block_cm2 = spacing[0] * spacing[1] / 100.0
    widest = int(np.argmax(np.count_nonzero(region, axis=(0, 1))))
    kept = region.copy()
    for k in range(widest - 1, -1, -1):
        labels, _ = ndimage.label(region[:, :, k])
        touching = np.unique(labels[kept[:, :, k + 1]])
        kept[:, :, k] = np.isin(labels, touching[touching > 0])
        if np.count_nonzero(kept[:, :, k]) * block_cm2 < canal_cm2:
            kept[:, :, : k + 1] = False
            break
    return kept


def _spill(region: np.ndarray, hu: np.ndarray, spacing: np.ndarray, limits: BrainLimits) -> float:
    """Share of what lies within two blocks around the region that is air or fat; a skull leaves little of it."""
    near = _CONNECTED.copy()
    if spacing[2] > limits.thick_mm:
        near[:, :, [0, 2]] = False  # two slices above the region lies what is beyond the skull
    shell = ndimage.binary_dilation(region, near, iterations=2) & ~region
    return float(np.count_nonzero(shell & (hu < limits.fat_hu))) / max(1, np.count_nonzero(shell))


def _filled(region: np.ndarray, bone: np.ndarray, metal: np.ndarray) -> np.ndarray:
    """Fill what is enclosed (calcification, blood, metal), in space and slice by slice, but no bone that belongs to the
    skull: brain surrounds the sella in slices that are oblique to it. A clip beside the skull stays in, with what it
    blurs."""
    filled = ndimage.binary_fill_holes(region)
    for k in range(filled.shape[2]):
        filled[:, :, k] = ndimage.binary_fill_holes(filled[:, :, k])
    labels, _ = ndimage.label(bone)
    outside = np.unique(labels[~filled])
    skull = np.isin(labels, outside[outside > 0]) & ~ndimage.binary_dilation(metal, _CONNECTED, iterations=2)
    return region | (filled & ~skull)


def _largest(mask: np.ndarray) -> np.ndarray | None:
    labels, count = ndimage.label(mask)
    if count == 0:
        return None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels == int(np.argmax(sizes))


def _refine(ncct: Volume, coarse: Intracranial, limits: BrainLimits) -> np.ndarray:
    """Move the coarse border to the inner table at full resolution."""
    # 0 outside, 1 in the rim that may be brain, 2 at the border, 3 in the depth that certainly is.
    rim_mm = 1.2 * limits.block_mm
    spacing = coarse.mean.spacing
    near = bounding_box(coarse.inside, (3, 3, 3))
    inside = coarse.inside[near]
    level = np.zeros(coarse.inside.shape, dtype=np.float32)
    level[near] = inside
    level[near] += ndimage.distance_transform_edt(inside, sampling=spacing) > rim_mm
    level[near] += ndimage.distance_transform_edt(~inside, sampling=spacing) <= rim_mm
    level = to_original_order(level, coarse.blocks)
    part = bounding_box(level > 0)
    ends = zip(part, coarse.factors, ncct.shape, strict=True)
    box = tuple(slice(s.start * f, min(s.stop * f, n)) for s, f, n in ends)
    hu = ncct.array[box]
    fine = interpolate_blocks(level[part], coarse.factors, hu.shape)  # type: ignore[arg-type]
    rim = 0.5 if coarse.sharp else 1.5  # where bone is blurred its edge says nothing
    inner = (fine >= 2.5) | ((fine >= rim) & (hu > limits.fat_hu) & (hu < limits.edge_hu))
    mask = np.zeros(ncct.shape, dtype=bool)
    mask[box] = _majority(inner, sorted(np.argsort(ncct.spacing, kind="stable")[:2]))
    return mask


def _majority(mask: np.ndarray, axes: list[int]) -> np.ndarray:
    """Let each voxel follow most of its four neighbours in plane and itself: no specks, no pinholes."""
    votes = mask.astype(np.uint8)
    for axis in axes:
        here, there = [slice(None)] * 3, [slice(None)] * 3
        here[axis], there[axis] = slice(1, None), slice(None, -1)
        votes[tuple(here)] += mask[tuple(there)]
        votes[tuple(there)] += mask[tuple(here)]
    return votes >= 3
