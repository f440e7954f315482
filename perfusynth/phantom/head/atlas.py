"""The atlas: tissue priors of a template on the phantom's lattices, with what follows from them; built once each.

``mni152``: priors of nilearn (ICBM 152 2009, Fonov 2009; notice in NOTICE), left-right symmetric averages. The
patient's own asymmetry comes from `perfusynth.phantom.head.pose` (warp), his gyri from
`perfusynth.phantom.head.tissue`. ``older_adult_ct``: priors of a CT template of older adults (Rorden 2012, public data
``scct_template_priors``): another anatomy for tests on heads never trained on.
"""

from dataclasses import dataclass
from functools import lru_cache

import nibabel as nib
import numpy as np
from nilearn import datasets
from scipy import ndimage

from perfusynth.errors import InputError
from perfusynth.phantom.head.dura import dura_sheets
from perfusynth.phantom.head.traits import Anatomy
from perfusynth.phantom.lattice import BRAIN, HEAD, Lattice
from perfusynth.public_data import public_data

#: Closing that fills sulci and fissures of the brain mask into one cavity, mm: little at the base, so that the petrous
#: notches stay bone; much above ``CLOSING_Z`` and in the box of the basal cisterns (|x|, y, z in MNI mm).
CLOSING_LOW_MM, CLOSING_HIGH_MM, CLOSING_Z = 6.0, 18.0, -12.0
CISTERNS = ((0.0, 20.0), (-50.0, 24.0), (-44.0, -8.0))
#: Smoothing of the cavity's surface in the skull base and in the calvaria, mm, and MNI z between which it changes.
SURFACE_SIGMA_BASE_MM, SURFACE_SIGMA_VAULT_MM, VAULT_Z = 2.0, 5.0, (-18.0, 0.0)
#: Lower end of the brain, MNI z in mm: the foramen magnum.
FORAMEN_MAGNUM_Z = -62.0
#: Deep grey matter (striatum, thalamus): centre |x|, y, z and radii, MNI mm.
DEEP_GREY = ((21.0, 4.0, 3.0, 15.0, 22.0, 15.0), (12.0, -18.0, 7.0, 14.0, 17.0, 13.0))
#: Boxes in which CSF is ventricle: lowest and highest |x|, y, z, MNI mm: frontal horn and body, atrium, temporal horn,
#: third, fourth; and seeds ``(|x|, y, z)`` of what is connected.
VENTRICLE_BOXES = (
    ((0.0, 26.0), (-34.0, 34.0), (2.0, 32.0)),
    ((12.0, 40.0), (-64.0, -24.0), (-12.0, 28.0)),
    ((24.0, 42.0), (-34.0, 0.0), (-24.0, -8.0)),
    ((0.0, 5.0), (-28.0, 8.0), (-14.0, 8.0)),
    ((0.0, 13.0), (-56.0, -34.0), (-46.0, -20.0)),
)
#: CSF prior from which a voxel there is ventricle, and size of the smallest part that counts, mL.
VENTRICLE_CSF, SMALLEST_VENTRICLE_ML = 0.55, 0.12
#: Priors are held within this of 0 and 1, so that their quantiles are finite.
PRIOR_MARGIN = 0.004


@dataclass(frozen=True, eq=False)
class Atlas:
    """Priors on `BRAIN`, and on `HEAD` the cavity; float32.

    ``cavity`` is the signed distance (mm) to the surface of the filled brain, negative inside; ``depth`` the
    same on `BRAIN`. ``grey``, ``white``, ``csf``, ``deep_grey`` are fractions 0-1; grey + white + csf = 1.
    ``ventricle_mm`` is the signed distance to the ventricles, negative inside; ``surface_mm`` that to the brain's
    free surface (convexity, fissures, cisterns), and ``surface_point`` the point of it that is nearest, MNI mm
    ``(3, ...)``. ``dura`` is the fraction of falx, tentorium and the large sinuses in them.
    """

    grey: np.ndarray
    white: np.ndarray
    csf: np.ndarray
    ventricle_mm: np.ndarray
    surface_mm: np.ndarray
    surface_point: np.ndarray
    deep_grey: np.ndarray
    dura: np.ndarray
    depth: np.ndarray
    cavity: np.ndarray


def _resample(image: np.ndarray, affine: np.ndarray, lattice: Lattice, order: int = 1) -> np.ndarray:
    x, y, z = np.meshgrid(*(np.ravel(a) for a in lattice.axes()), indexing="ij")
    index = (np.stack([x, y, z]) - affine[:3, 3][:, None, None, None]) / np.diag(affine)[:3][:, None, None, None]
    return ndimage.map_coordinates(image, index, order=order, mode="constant", output=np.float32)


def _mni152_priors() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grey and white matter on `BRAIN`, and the brain on `HEAD`."""
    found = []
    for image in (datasets.load_mni152_gm_template(resolution=1), datasets.load_mni152_wm_template(resolution=1)):
        fine = ndimage.gaussian_filter(np.asarray(image.dataobj, dtype=np.float32), 0.5)
        found.append(_resample(fine, np.asarray(image.affine), BRAIN))
    mask = datasets.load_mni152_brain_mask(resolution=1)
    brain = _resample(np.asarray(mask.dataobj, dtype=np.float32), np.asarray(mask.affine), HEAD) > 0.5
    return found[0], found[1], brain


def _older_adult_ct_priors() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    folder = public_data("scct_template_priors")
    priors = []
    for name in ("scgrey", "scwhite", "sccsf"):
        path = folder / f"{name}.nii.gz"
        if not path.is_file():
            raise InputError(
                "A file of the CT template's priors is missing.",
                expected=path.name,
                got="no such file",
                hint="Fetch the public data scct_template_priors again.",
                code="missing_file",
            )
        image = nib.nifti1.load(path)
        priors.append((np.asarray(image.dataobj, dtype=np.float32), np.asarray(image.affine)))
    grey, white = (_resample(image, affine, BRAIN) for image, affine in priors[:2])
    brain = _resample(np.sum([image for image, _ in priors], axis=0), priors[0][1], HEAD) > 0.5
    return grey, white, brain


def _cavity(brain: np.ndarray) -> np.ndarray:
    """Signed distance (mm, `HEAD`) to the filled brain's surface, smooth where the skull is."""
    x, y, z = HEAD.axes()
    cisterns = np.ones(HEAD.shape, dtype=bool)
    for axis, (least, most) in zip((np.abs(x), y, z), CISTERNS, strict=True):
        cisterns &= (axis >= least) & (axis <= most)
    away = ndimage.distance_transform_edt(~brain) * HEAD.step_mm
    low, high = (
        ndimage.distance_transform_edt(away <= radius) * HEAD.step_mm > radius
        for radius in (CLOSING_LOW_MM, CLOSING_HIGH_MM)
    )
    filled = ndimage.binary_fill_holes(brain | low | (high & ((z > CLOSING_Z) | cisterns)))
    distance = ndimage.distance_transform_edt(~filled) - ndimage.distance_transform_edt(filled)
    distance = distance.astype(np.float32) * HEAD.step_mm
    base, vault = (
        ndimage.gaussian_filter(distance, sigma / HEAD.step_mm)
        for sigma in (SURFACE_SIGMA_BASE_MM, SURFACE_SIGMA_VAULT_MM)
    )
    share = np.clip((z - VAULT_Z[0]) / (VAULT_Z[1] - VAULT_Z[0]), 0, 1)
    return (base + share * (vault - base)).astype(np.float32)


def _ventricle_mm(csf: np.ndarray) -> np.ndarray:
    x, y, z = BRAIN.axes()
    lateral = np.abs(x)
    within = np.zeros(BRAIN.shape, dtype=bool)
    for box in VENTRICLE_BOXES:
        inside = np.ones(BRAIN.shape, dtype=bool)
        for axis, (low, high) in zip((lateral, y, z), box, strict=True):
            inside &= (axis >= low) & (axis <= high)
        within |= inside
    labels, _ = ndimage.label(within & (csf > VENTRICLE_CSF))
    sizes = np.bincount(labels.ravel()) * BRAIN.step_mm**3 / 1000
    sizes[0] = 0
    ventricle = (sizes > SMALLEST_VENTRICLE_ML)[labels]
    distance = ndimage.distance_transform_edt(~ventricle) - ndimage.distance_transform_edt(ventricle)
    return ndimage.gaussian_filter((distance * BRAIN.step_mm).astype(np.float32), 0.7)


def atlas(anatomy: Anatomy = "mni152") -> Atlas:
    """An atlas, built once per process (about 2 s).

    Raises
    ------
    InputError
        The public data of ``older_adult_ct`` is not there; see `perfusynth.public_data.public_data`.
    """
    return build_atlas(anatomy)


@lru_cache(maxsize=2)
def build_atlas(anatomy: Anatomy) -> Atlas:
    """What `atlas` keeps; apart from it so that the default and its name share one entry."""
    grey, white, brain = _mni152_priors() if anatomy == "mni152" else _older_adult_ct_priors()
    cavity = _cavity(brain)
    offset = [round((b - h) / HEAD.step_mm) for b, h in zip(BRAIN.start, HEAD.start, strict=True)]
    inner = tuple(slice(o, o + n) for o, n in zip(offset, BRAIN.shape, strict=True))
    depth = np.ascontiguousarray(cavity[inner])
    total = np.maximum(grey + white, 1.0)
    grey, white = grey / total, white / total
    csf = 1 - grey - white

    x, y, z = BRAIN.axes()
    deep = np.zeros(BRAIN.shape, dtype=np.float32)
    for cx, cy, cz, rx, ry, rz in DEEP_GREY:
        radius_squared = ((np.abs(x) - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2
        deep = np.maximum(deep, np.clip((1.3 - radius_squared) / 0.6, 0, 1))
    ventricle_mm = _ventricle_mm(csf)
    free = (depth > 0) | ((csf > 0.5) & (ventricle_mm > 5.0))
    surface_mm, nearest = ndimage.distance_transform_edt(~free, return_indices=True)
    start = np.asarray(BRAIN.start, dtype=np.float32)[:, None, None, None]
    points = start + BRAIN.step_mm * nearest.astype(np.float32)
    return Atlas(
        grey=grey,
        white=white,
        csf=csf,
        ventricle_mm=ventricle_mm,
        surface_mm=(surface_mm * BRAIN.step_mm).astype(np.float32),
        surface_point=np.stack([ndimage.gaussian_filter(p, 0.8) for p in points]),
        deep_grey=deep.astype(np.float32),
        dura=dura_sheets(csf, depth),
        depth=depth,
        cavity=cavity,
    )
