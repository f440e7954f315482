"""Real infarcts as shapes for external test patients, never for training: signed distances, and who gets which."""

import dataclasses
from functools import lru_cache
from typing import Any

import nibabel as nib
import numpy as np
from scipy import ndimage

from perfusynth.errors import InputError
from perfusynth.phantom.lattice import BRAIN_COARSE, stream
from perfusynth.phantom.stroke.traits import FLOW_CORE_MEDIAN, Side, Site, draw_stroke
from perfusynth.public_data import public_data

#: Public data item with the masks (1 mm, MNI), and where it keeps them.
LESION_DATA, LESION_FILE = "stroke_lesions_mni", "lesions/{}_lesion.nii.gz"
#: Site and side of each infarct, from the territory in its folder's name; MCA ones by their extent.
LESION_SHAPES: dict[str, tuple[Site, Side]] = {
    "bwsrsub-761": ("M1", "left"),
    "bwsrsub-1013": ("M1", "left"),
    "bwsrsub-230": ("M2-inf", "left"),
    "bwsrsub-249": ("M1", "right"),
    "bwsrsub-1171": ("M1", "right"),
    "bwsrsub-1358": ("M1", "right"),
    "bwsrsub-1677": ("P2", "left"),
    "bwsrsub-287": ("P2", "left"),
    "bwsrsub-1306": ("P2", "right"),
    "bwsrsub-1604": ("P2", "right"),
    "bwsrsub-1280": ("A2", "left"),
    "bwsrsub-581": ("A2", "right"),
    "bwsrsub-760": ("basilar", "both"),
    "bwsrsub-783": ("basilar", "both"),
}
#: Acute part of the final infarct, and the tissue at risk relative to it; largest infarct drawn, mL [d].
ACUTE_SHARE, AT_RISK, ACUTE_MAX_ML = (0.45, 1.0), (1.3, 2.8), 200.0
#: Every n-th voxel (of 1 mm) of a mask is enough for a distance on the coarse lattice.
MASK_STEP = 2
#: Blur of the distance, coarse voxels: real borders are traced by hand, slice by slice.
DISTANCE_BLUR = 0.6


def _mask(name: str) -> tuple[np.ndarray, np.ndarray]:
    if name not in LESION_SHAPES:
        raise InputError(
            "There is no such lesion shape.",
            expected=f"one of {', '.join(LESION_SHAPES)}",
            got=name[:60],
            hint="Use a name of LESION_SHAPES, or an empty one.",
            code="unknown_lesion_shape",
        )
    image: Any = nib.load(public_data(LESION_DATA) / LESION_FILE.format(name))
    return np.asarray(image.dataobj) > 0.5, np.asarray(image.affine)


@lru_cache(maxsize=len(LESION_SHAPES))
def signed_distance_mm(name: str) -> np.ndarray:
    """Distance inside a real infarct's border on `BRAIN_COARSE`, negative outside, mm, float32."""
    mask, affine = _mask(name)
    # Beyond the image nothing is known: the distance goes on from its edge.
    mask = mask[::MASK_STEP, ::MASK_STEP, ::MASK_STEP]
    distance = MASK_STEP * (ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask))
    points = np.stack(np.meshgrid(*(np.ravel(a) for a in BRAIN_COARSE.axes()), indexing="ij")).reshape(3, -1)
    index = (points - affine[:3, 3:]) / (MASK_STEP * np.diag(affine)[:3, None])
    found = ndimage.map_coordinates(distance, index, order=1, mode="nearest").reshape(BRAIN_COARSE.shape)
    return ndimage.gaussian_filter(found, DISTANCE_BLUR).astype(np.float32)


@lru_cache(maxsize=len(LESION_SHAPES))
def shape_ml(name: str) -> float:
    """Volume of a real infarct in the template, mL."""
    mask, affine = _mask(name)
    return float(mask.sum() * abs(np.linalg.det(affine[:3, :3]))) / 1000


def external_stroke(seed: int) -> dict[str, Any]:
    """Changes (`Patient.with_stroke`) that give a patient a real infarct's shape, with its site, side and volumes."""
    rng = stream(seed, "lesion shape")
    name = list(LESION_SHAPES)[int(rng.integers(len(LESION_SHAPES)))]
    acute, at_risk = (float(low + (high - low) * rng.random()) for low, high in (ACUTE_SHARE, AT_RISK))
    core = min(shape_ml(name) * acute, ACUTE_MAX_ML)
    site, side = LESION_SHAPES[name]
    stroke = dataclasses.replace(
        draw_stroke(seed, site=site),
        side=side,
        core_target_ml=core,
        flow_core_target_ml=FLOW_CORE_MEDIAN * core,
        tmax6_target_ml=core * at_risk,
        reperfused=0.0,
        lesion_shape=name,
    )
    return {field.name: getattr(stroke, field.name) for field in dataclasses.fields(stroke)}
