"""The atlas: MNI152 priors of nilearn on the phantom's lattices, built once per process.

The templates are left-right symmetric averages (ICBM 152 2009, Fonov 2009; notice in NOTICE); the patient's own
asymmetry comes from `perfusynth.phantom.head.pose` (warp) and `perfusynth.phantom.arteries.territories` (borders).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from nilearn import datasets
from scipy import ndimage

from perfusynth.phantom.lattice import BRAIN, HEAD, Lattice

#: Closing that fills sulci and fissures of the brain mask into one cavity, mm: little below ``CLOSING_Z``, so that the
#: petrous notches stay bone; much above, so that cisterns and the interhemispheric fissure are filled.
CLOSING_LOW_MM, CLOSING_HIGH_MM, CLOSING_Z = 7.0, 18.0, -24.0
#: Lower end of the brain, MNI z in mm: the foramen magnum.
FORAMEN_MAGNUM_Z = -62.0
#: Depth below the inner table from which CSF counts as ventricle, mm.
VENTRICLE_DEPTH_MM = 20.0
#: Deep grey matter (striatum, thalamus): centre |x|, y, z and radii, MNI mm.
DEEP_GREY = ((21.0, 4.0, 3.0, 15.0, 22.0, 15.0), (12.0, -18.0, 7.0, 14.0, 17.0, 13.0))


@dataclass(frozen=True, eq=False)
class Atlas:
    """Template fields; ``grey, white, csf, ventricle, deep_grey, depth`` on `BRAIN`, ``cavity`` on `HEAD`.

    ``cavity`` is the signed distance (mm) to the surface of the filled brain, negative inside; ``depth`` the
    same on `BRAIN`. The others are fractions 0-1; grey + white + csf = 1.
    """

    grey: np.ndarray
    white: np.ndarray
    csf: np.ndarray
    csf_smooth: np.ndarray
    ventricle: np.ndarray
    deep_grey: np.ndarray
    periventricular: np.ndarray
    depth: np.ndarray
    cavity: np.ndarray


def _resample(image: np.ndarray, affine: np.ndarray, lattice: Lattice) -> np.ndarray:
    x, y, z = np.meshgrid(*(np.ravel(a) for a in lattice.axes()), indexing="ij")
    index = (np.stack([x, y, z]) - affine[:3, 3][:, None, None, None]) / np.diag(affine)[:3][:, None, None, None]
    return ndimage.map_coordinates(image.astype(np.float32), index, order=1, mode="constant", output=np.float32)


@lru_cache(maxsize=1)
def atlas() -> Atlas:
    """Build the atlas once per process (about 2 s)."""
    grey_image = datasets.load_mni152_gm_template(resolution=2)
    affine = np.asarray(grey_image.affine)
    mask = np.asarray(datasets.load_mni152_brain_mask(resolution=2).get_fdata() > 0.5, dtype=np.float32)

    in_head = _resample(mask, affine, HEAD) > 0.5
    away = ndimage.distance_transform_edt(~in_head) * HEAD.step_mm
    low, high = (
        ndimage.distance_transform_edt(away <= radius) * HEAD.step_mm > radius
        for radius in (CLOSING_LOW_MM, CLOSING_HIGH_MM)
    )
    filled = ndimage.binary_fill_holes(in_head | low | (high & (HEAD.axes()[2] > CLOSING_Z)))
    distance = ndimage.distance_transform_edt(~filled) - ndimage.distance_transform_edt(filled)
    cavity = ndimage.gaussian_filter(distance.astype(np.float32) * HEAD.step_mm, 1.0)

    offset = [round((b - h) / HEAD.step_mm) for b, h in zip(BRAIN.start, HEAD.start, strict=True)]
    inner = tuple(slice(o, o + n) for o, n in zip(offset, BRAIN.shape, strict=True))
    depth = np.ascontiguousarray(cavity[inner])
    grey = _resample(np.asarray(grey_image.get_fdata()), affine, BRAIN)
    white = _resample(np.asarray(datasets.load_mni152_wm_template(resolution=2).get_fdata()), affine, BRAIN)
    total = np.maximum(grey + white, 1.0)
    grey, white = grey / total, white / total
    csf = 1 - grey - white

    x, y, z = BRAIN.axes()
    deep = np.zeros(BRAIN.shape, dtype=np.float32)
    for cx, cy, cz, rx, ry, rz in DEEP_GREY:
        radius_squared = ((np.abs(x) - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2
        deep = np.maximum(deep, np.clip((1.3 - radius_squared) / 0.6, 0, 1))
    # Deep CSF above the basal cisterns, near the midline or in the lateral ventricles.
    ventricular = (
        (depth < -VENTRICLE_DEPTH_MM) & (csf > 0.3) & (np.abs(x) < 42) & (z > -46) & (z < 32) & (np.abs(y + 12) < 52)
    )
    ventricle = ndimage.gaussian_filter(ndimage.binary_dilation(ventricular, iterations=2).astype(np.float32), 0.8)
    far = ndimage.distance_transform_edt(~(ventricular & (csf > 0.6) & (z > 0))) * BRAIN.step_mm
    return Atlas(
        grey=grey,
        white=white,
        csf=csf,
        csf_smooth=ndimage.gaussian_filter(csf, 1.2),
        ventricle=ventricle,
        deep_grey=deep.astype(np.float32),
        periventricular=np.exp(-((far / 12.0) ** 2)).astype(np.float32),
        depth=depth,
        cavity=cavity,
    )
