"""One patient's tissue fractions on the brain lattice: gyri, atrophy, ventricles, and what old disease left."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage, special

from perfusynth.phantom.head.atlas import PRIOR_MARGIN, atlas
from perfusynth.phantom.head.old_disease import calcification, hypodense_white, lacunes, old_infarct
from perfusynth.phantom.head.traits import Anatomy
from perfusynth.phantom.lattice import BRAIN, smooth_field, stream
from perfusynth.phantom.patient import Patient

#: Gyri: two smoothings (SD, mm) whose difference is the band that sulci are drawn in; half its wavelength is the
#: distance of sulci, about 12 mm [d].
GYRUS_SIGMA_MM = (3.6, 6.5)
#: How much of its way down a sulcus is bent instead of straight (0-1) [d].
SULCUS_BEND = 0.3
#: Softness of a border in units of the field's SD: the share of a voxel's width over which tissues mix.
BORDER = 0.35
#: Correlation of "near a sulcus" with "grey": the cortex lines the sulci.
RIBBON_CORRELATION = 0.75
#: Individual pattern of grey and white matter besides the sulci: sigma, mm.
RIBBON_SIGMA_MM = 3.5
#: Depth below the brain's free surface over which the individual pattern fades, mm.
PATTERN_DEPTH_MM = (20.0, 32.0)
#: Strength of the pattern in the cerebellum, and the region below which it lies: z at the midline and slope with |x|.
FOLIA_STRENGTH, CEREBELLUM_Y, CEREBELLUM_Z = 0.45, -30.0, -18.0
#: Quantile of CSF outside the ventricles: shift at atrophy 0 and over the whole range of atrophy (0 to 1), SD.
ATROPHY_SHIFT = (-0.25, 1.35)
#: Steepness of the borders of grey and white matter where there is no individual pattern.
DEEP_SHARPNESS = 1.6
#: By how much the lateral ventricles are wider than the template's, mm: at size 0, at size 1.
VENTRICLE_WIDENING_MM = (0.3, 9.5)
#: Shares of that for the third ventricle, the fourth, the temporal horns.
THIRD_SHARE, FOURTH_SHARE = 0.45, 0.15
#: Distance over which tissue yields to a wider ventricle, mm; local variation of the widening (relative), sigma, mm.
YIELD_MM, WIDENING_VARIATION, WIDENING_SIGMA_MM = 18.0, 0.3, 12.0
#: Smoothness of the ventricular border, mm.
VENTRICLE_EDGE_MM = 1.6


@dataclass(frozen=True, eq=False)
class Tissue:
    """One patient's fractions on `BRAIN`, float32 0-1: ``grey + white + csf = 1``.

    ``ventricle`` is part of csf; ``hypodense_white`` part of white; ``deep_grey`` says which grey matter is striatum or
    thalamus; ``lacune``, ``old_infarct`` (a defect whose tissue is lost: most of it counts as csf), ``calcification``
    and ``dura`` are fractions of the voxel that lie over the three tissues.
    """

    grey: np.ndarray
    white: np.ndarray
    csf: np.ndarray
    ventricle: np.ndarray
    deep_grey: np.ndarray
    hypodense_white: np.ndarray
    lacune: np.ndarray
    old_infarct: np.ndarray
    calcification: np.ndarray
    dura: np.ndarray


@dataclass(frozen=True, eq=False)
class _Template:
    """What of an atlas is the same for all patients: flat voxels inside the cavity, and quantiles there.

    ``index`` are their lattice indices ``(3, n)``; ``surface`` the indices of the nearest point of the free surface;
    ``strength`` (0-1) how individual the pattern is; ``near`` selects voxels that a ventricle may push, ``outward``
    their unit vectors away from it, ``widening`` the share of the widening that they feel, and ``fixed`` the values
    in volumes that they are looked up in.
    """

    flat: np.ndarray
    index: np.ndarray
    surface: np.ndarray
    strength: np.ndarray
    csf: np.ndarray
    grey: np.ndarray
    near: np.ndarray
    outward: np.ndarray
    widening: np.ndarray
    volumes: tuple[np.ndarray, ...]


def _quantile(share: np.ndarray) -> np.ndarray:
    return special.ndtri(np.clip(share, PRIOR_MARGIN, 1 - PRIOR_MARGIN)).astype(np.float32)


@lru_cache(maxsize=2)
def _template(anatomy: Anatomy) -> _Template:
    a = atlas(anatomy)
    x, y, z = BRAIN.axes()
    flat = np.flatnonzero(a.depth < BRAIN.step_mm)
    index = np.stack(np.unravel_index(flat, BRAIN.shape)).astype(np.float32)
    surface = BRAIN.index(a.surface_point.reshape(3, -1)[:, flat])
    low, high = PATTERN_DEPTH_MM
    strength = np.clip((high - a.surface_mm) / (high - low), 0, 1) * (1 - a.deep_grey)
    strength *= np.clip((a.ventricle_mm - 4) / 6, 0, 1)
    below = np.clip((CEREBELLUM_Z - 0.15 * np.abs(x) - z) / 4, 0, 1) * np.clip((CEREBELLUM_Y - y) / 6 + 1, 0, 1)
    brainstem = below * np.clip((18 - np.abs(x)) / 4, 0, 1) * np.clip((y + 50) / 6, 0, 1)
    strength *= (1 - (1 - FOLIA_STRENGTH) * below) * (1 - brainstem)
    csf, grey = _quantile(a.csf), _quantile(a.grey / np.maximum(a.grey + a.white, 0.02))
    near = np.flatnonzero(np.ravel(a.ventricle_mm)[flat] < 2.2 * YIELD_MM)
    gradient = np.stack(np.gradient(ndimage.gaussian_filter(a.ventricle_mm, 1.0)))
    outward = gradient.reshape(3, -1)[:, flat[near]]
    outward = outward / np.maximum(np.sqrt((outward**2).sum(axis=0)), 0.3)
    third = np.clip((6 - np.abs(x)) / 3, 0, 1) * np.clip((10 - z) / 6, 0, 1) * np.clip((y + 34) / 6, 0, 1)
    fourth = np.clip((-16 - z) / 4, 0, 1) * np.clip((20 - np.abs(x)) / 4, 0, 1) + 0 * y
    share = 1 - (1 - THIRD_SHARE) * third - (1 - FOURTH_SHARE) * fourth
    widening = np.exp(-((np.maximum(a.ventricle_mm, 0) / YIELD_MM) ** 2)) * np.clip(share, 0, 1)
    return _Template(
        flat,
        index,
        surface,
        np.ravel(strength)[flat].astype(np.float32),
        np.ravel(csf)[flat],
        np.ravel(grey)[flat],
        near,
        outward.astype(np.float32),
        np.ravel(widening)[flat[near]].astype(np.float32),
        (csf, grey, a.ventricle_mm, a.deep_grey),
    )


def _pushed(patient: Patient, t: _Template) -> tuple[np.ndarray, ...]:
    """Quantiles of csf and grey, distance to the ventricle and deep grey where the patient's ventricles push tissue."""
    low, high = VENTRICLE_WIDENING_MM
    widening = low + (high - low) * patient.head.ventricle_size
    right = np.clip(0.5 + (BRAIN.start[0] + BRAIN.step_mm * t.index[0][t.near]) / 8, 0, 1)
    both = widening + patient.head.ventricle_asymmetry_mm * (0.5 - right)
    local = smooth_field(stream(patient.seed, "ventricles"), BRAIN, WIDENING_SIGMA_MM).ravel()[t.flat[t.near]]
    by = t.widening * (both + WIDENING_VARIATION * (1 + abs(widening)) * np.clip(local, -2, 2))
    # The place that lay here before the ventricle grew lies nearer to it.
    index = t.index[:, t.near] - t.outward * (by / np.float32(BRAIN.step_mm))
    found = []
    for volume, here in zip(t.volumes, (t.csf, t.grey, None, None), strict=True):
        values = np.ravel(volume)[t.flat] if here is None else here.copy()
        values[t.near] = ndimage.map_coordinates(volume, index, order=1, mode="nearest", output=np.float32)
        found.append(values)
    return tuple(found)


def _unit(field: np.ndarray) -> np.ndarray:
    return (field - field.mean()) / field.std()


def _pattern(patient: Patient, t: _Template) -> tuple[np.ndarray, np.ndarray]:
    """How near each voxel is to one of the patient's sulci, and how grey it tends to be; each of SD 1, mean 0."""
    rng = stream(patient.seed, "gyri")
    white = rng.standard_normal(BRAIN.shape, dtype=np.float32)
    fine, coarse = (ndimage.gaussian_filter(white, sigma / BRAIN.step_mm, mode="wrap") for sigma in GYRUS_SIGMA_MM)
    gain = (GYRUS_SIGMA_MM[0] / GYRUS_SIGMA_MM[1]) ** 1.5
    at = t.surface + np.float32(SULCUS_BEND) * (t.index - t.surface)
    band = ndimage.map_coordinates(fine - gain * coarse, at, order=1, mode="nearest", output=np.float32)
    # Sulci are the sheets on which the band is zero, from the free surface down.
    near = special.ndtr(-np.abs(_unit(band))) * 2
    sulcus = special.ndtri(np.clip(near, 1e-4, 1 - 1e-4)).astype(np.float32)
    own = np.ravel(smooth_field(rng, BRAIN, RIBBON_SIGMA_MM))[t.flat]
    grey = RIBBON_CORRELATION * sulcus + np.float32(np.sqrt(1 - RIBBON_CORRELATION**2)) * own
    return sulcus, grey


def _share(quantile: np.ndarray, pattern: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Crisp fractions whose mean over patterns (normal, SD 1) is what the quantile says."""
    spread = np.sqrt(strength**2 + np.float32(BORDER**2))
    sharp = 1 + (DEEP_SHARPNESS - 1) * (1 - strength)
    return special.ndtr((strength * pattern + quantile * spread * sharp) / np.float32(BORDER)).astype(np.float32)


def tissue_of(patient: Patient) -> Tissue:
    """Tissue fractions of one patient (about 0.2 s)."""
    a = atlas(patient.head.anatomy)
    t = _template(patient.head.anatomy)
    csf_quantile, grey_quantile, ventricle_mm, deep = _pushed(patient, t)
    sulcus, greyness = _pattern(patient, t)
    shift = np.float32(ATROPHY_SHIFT[0] + ATROPHY_SHIFT[1] * patient.head.atrophy)
    # Atrophy opens what is a fissure already more than what is none.
    csf = _share(csf_quantile + shift, sulcus, t.strength)
    ventricle = np.clip(0.5 - ventricle_mm / np.float32(2 * VENTRICLE_EDGE_MM), 0, 1)
    beside = np.clip(ventricle_mm / 4, 0, 1)  # no sulcus in a ventricle's wall
    csf = np.maximum(csf * beside, ventricle)
    csf[np.ravel(a.depth)[t.flat] > 0] = 1.0
    share = _share(grey_quantile, greyness, t.strength)

    def whole(values: np.ndarray, outside: float = 0.0) -> np.ndarray:
        volume = np.full(BRAIN.shape, outside, dtype=np.float32)
        volume.ravel()[t.flat] = values
        return volume

    csf_volume, grey_share = whole(csf, 1.0), whole(share)
    defect, lost = old_infarct(patient, csf_volume)
    csf_volume += lost * (1 - csf_volume)
    grey = (1 - csf_volume) * grey_share
    white = 1 - csf_volume - grey
    distance = whole(ventricle_mm, 100.0)
    return Tissue(
        grey=grey,
        white=white,
        csf=csf_volume,
        ventricle=np.minimum(whole(ventricle), csf_volume),
        deep_grey=whole(deep),
        hypodense_white=hypodense_white(patient, distance, white, defect),
        lacune=lacunes(patient),
        old_infarct=defect,
        calcification=calcification(patient),
        dura=a.dura,
    )
