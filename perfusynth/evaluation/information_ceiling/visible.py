"""What a deficit shows on an NCCT, as some numbers: net water uptake by region, sulci that swelling fills,
the clot by piece of artery.

These are the noise-free summaries; `measurement` makes the same numbers out of a rendered NCCT.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from perfusynth.evaluation.information_ceiling import arteries, regions
from perfusynth.phantom.ct.attenuation import HU_PER_NWU_GREY, HU_PER_NWU_WHITE
from perfusynth.phantom.ct.traits import CSF_HU, GREY_MINUS_WHITE_HU, WHITE_HU
from perfusynth.phantom.head.atlas import FORAMEN_MAGNUM_Z, atlas
from perfusynth.phantom.head.tissue import tissue_of
from perfusynth.phantom.lattice import BRAIN, BRAIN_COARSE, upsample
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.stroke.coarse import CoarseDeficit

#: A voxel of the coarse lattice belongs to the brain up to this far beyond the template's surface, mm [d].
SURFACE_MM = 2.0
#: A template voxel with at least this share of grey and white matter counts as tissue [d].
TISSUE_SHARE = 0.6

#: Patients whose mean tissue says what water uptake and swelling do to a region.
TYPICAL_SEEDS = range(6)

REGION_COUNT, PIECE_COUNT = len(regions.NAMES), len(arteries.piece_names())
PART_COUNT = PIECE_COUNT * arteries.PARTS_PER_PIECE
#: Names of the summaries, in their order, all in HU: a region's tissue alone (water uptake), all that lies in a region
#: (sulci that fill), blood or clot in a piece of artery.
NAMES = (
    *(f"tissue {name}" for name in regions.NAMES),
    *(f"whole {name}" for name in regions.NAMES),
    *(f"artery {name}" for name in arteries.piece_names()),
)
#: Where each kind lies among them.
TISSUE = slice(0, REGION_COUNT)
ARTERY = slice(2 * REGION_COUNT, len(NAMES))
#: Number of each summary's mirror image.
MIRROR = np.concatenate(
    [regions.MIRROR, REGION_COUNT + regions.MIRROR, 2 * REGION_COUNT + arteries.mirror()],
)


@dataclass(frozen=True, eq=False)
class BrainVoxels:
    """The coarse lattice's voxels inside the brain.

    Parameters
    ----------
    inside
        bool, shape of `BRAIN_COARSE`; left-right symmetric.
    mirror
        ``(n,)``: number of each voxel's mirror image among the brain's.
    right
        ``(n,)``: 1 right of the midline, 0 left of it, 0.5 on it.
    water_weights
        ``(rows, n)``: HU by per cent of water uptake in each voxel, of the tissue of each region, and of all that lies
        in it.
    swelling_weights
        ``(rows, n)``: HU by share of displaced CSF in each voxel, of all that lies in each region.
    """

    inside: np.ndarray
    mirror: np.ndarray
    right: np.ndarray
    water_weights: np.ndarray
    swelling_weights: np.ndarray

    @property
    def count(self) -> int:
        """Voxels in the brain."""
        return len(self.mirror)


@lru_cache(maxsize=1)
def brain_voxels() -> BrainVoxels:
    """Built once per process from the atlas and some typical patients' tissue (about 4 s)."""
    depth = upsample(atlas().depth, BRAIN, BRAIN_COARSE)
    x, y, z = BRAIN_COARSE.axes()
    inside = (depth < SURFACE_MM) & (z > FORAMEN_MAGNUM_Z)
    inside |= inside[::-1]
    number = np.full(BRAIN_COARSE.shape, -1)
    number[inside] = np.arange(np.count_nonzero(inside))
    right = np.broadcast_to(0.5 * (1 + np.sign(x)), BRAIN_COARSE.shape)[inside].astype(np.float32)
    labels = regions.region_labels(x, y, z)[inside]

    grey, white, sulci = (
        upsample(ndimage.gaussian_filter(share, 1.0), BRAIN, BRAIN_COARSE)[inside] for share in typical_tissue()
    )
    share = grey + white
    tissue_hu = -(HU_PER_NWU_GREY * grey + HU_PER_NWU_WHITE * white)
    is_tissue = share > TISSUE_SHARE
    in_region = labels[None] == np.arange(REGION_COUNT)[:, None]
    of_tissue, of_whole = (
        sets / np.maximum(sets.sum(axis=1, keepdims=True), 1) for sets in (in_region & is_tissue, in_region)
    )
    alone = of_tissue * (tissue_hu / np.maximum(share, TISSUE_SHARE))
    water = np.concatenate([alone, of_whole * tissue_hu]).astype(np.float32)
    filled_hu = WHITE_HU[0] + GREY_MINUS_WHITE_HU[0] - CSF_HU[0]
    swelling = (of_whole * (filled_hu * sulci)).astype(np.float32)
    return BrainVoxels(inside, number[::-1][inside], right, water, swelling)


@lru_cache(maxsize=1)
def typical_tissue() -> np.ndarray:
    """Mean grey matter, white matter and CSF outside the ventricles, 0-1 on `BRAIN`, symmetric; ``(3, x, y, z)``."""
    total = np.zeros((3, *BRAIN.shape), dtype=np.float32)
    for seed in TYPICAL_SEEDS:
        tissue = tissue_of(draw_patient(seed).without_deficit())
        total += np.stack([tissue.grey, tissue.white, np.clip(tissue.csf - tissue.ventricle, 0, 1)])
    return (total + total[:, ::-1]) / (2 * len(TYPICAL_SEEDS))


def visible_parts(patient: Patient, deficit: CoarseDeficit) -> np.ndarray:
    """What a deficit shows, float32: HU of each region's tissue, of all in it, of clot in each part.

    How a clot in one part of an artery shows in the pieces' HU depends on the image (`observer.Observer.summaries`).
    """
    voxels = brain_voxels()
    found = voxels.water_weights @ deficit.water_uptake_percent[voxels.inside]
    found[REGION_COUNT:] += voxels.swelling_weights @ deficit.swelling[voxels.inside]
    clot = patient.stroke.clot_contrast_hu * arteries.clot_shares(patient)
    return np.concatenate([found, clot.ravel()]).astype(np.float32)


def split_parts(parts: np.ndarray) -> list[np.ndarray]:
    """`visible_parts` ``(n, ...)`` as regions (tissue, whole) and clot in the pieces' parts."""
    return np.split(parts, [2 * REGION_COUNT], axis=-1)


def mirrored_parts(parts: np.ndarray) -> np.ndarray:
    """`visible_parts` ``(n, ...)`` of the mirror images."""
    region, clot = split_parts(parts)
    clot = clot.reshape(len(clot), PIECE_COUNT, -1)[:, arteries.mirror()].reshape(clot.shape)
    return np.concatenate([region[:, MIRROR[: 2 * REGION_COUNT]], clot], axis=1)
