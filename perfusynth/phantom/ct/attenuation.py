"""HU of everything inside the skull on the brain lattice: tissue, old disease, beam hardening, then the stroke."""

import numpy as np
from scipy import ndimage

from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.head.tissue import Tissue
from perfusynth.phantom.lattice import BRAIN, smooth_field, stream
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.stroke.haemodynamics import Haemodynamics

#: Darkening in HU per % net water uptake: 1 % of tissue density (grey, white) [finding 1 of the parameters].
HU_PER_NWU_GREY, HU_PER_NWU_WHITE = 0.38, 0.29
#: Darkening of hypodense white matter at grade 1, HU [d].
HYPODENSE_HU = -7.0
#: HU of dura, of what is left of an old infarct above CSF, and of calcification [d].
DURA_HU, SCAR_ABOVE_CSF_HU, CALCIFICATION_HU = 52.0, 4.0, 250.0
#: Distance over which the cortex that fills a sulcus has the water uptake of its surroundings, mm.
SWELLING_SIGMA_MM = 4.0
#: Smoothness of the disease-independent left-right field, mm.
LEFT_RIGHT_SIGMA_MM = 13.0
#: Makes up for what smoothing by 10 mm takes from the field (measured).
LEFT_RIGHT_GAIN = 2.0
#: Tissue's own smooth texture: SD in HU, sigma in mm [d].
TEXTURE_HU, TEXTURE_SIGMA_MM = 0.5, 5.0
#: Interpetrous dark bar: centre y, z and half-widths x, y, z, MNI mm.
BAR = (-24.0, -34.0, 32.0, 16.0, 9.0)
#: Streaks between the petrous bones: half-widths z relative to the bar's, and SD of their profile along y and z, mm.
STREAK_HEIGHT, STREAK_SIGMA_MM = 1.5, (2.6, 3.2)
#: Depth over which the skull's cupping falls off, mm.
CUPPING_DEPTH_MM = 9.0


def left_right_field(patient: Patient) -> np.ndarray:
    """Smooth field on `BRAIN`, HU; SD of left minus right at 10 mm: ``left_right_hu``.

    Both sides are drawn independently: were one the negative of the other, their sum would show what the field hides.
    """
    field = smooth_field(stream(patient.seed, "left-right"), BRAIN, LEFT_RIGHT_SIGMA_MM)
    return np.float32(LEFT_RIGHT_GAIN * patient.attenuation.left_right_hu / np.sqrt(2)) * field


def water_uptake_hu(tissue: Tissue, fields: Haemodynamics) -> np.ndarray:
    """Change of HU by net water uptake on `BRAIN`, <= 0."""
    per_percent = HU_PER_NWU_GREY * tissue.grey + HU_PER_NWU_WHITE * tissue.white
    return (-fields.water_uptake_percent * per_percent).astype(np.float32)


def swelling_hu(patient: Patient, tissue: Tissue, fields: Haemodynamics) -> np.ndarray:
    """Change of HU on `BRAIN` where swollen cortex fills sulci: it is as wet there as around the sulcus."""
    filled = fields.swelling * (tissue.csf - tissue.ventricle)
    if not filled.any():
        return np.zeros(BRAIN.shape, dtype=np.float32)
    sigma = SWELLING_SIGMA_MM / BRAIN.step_mm
    tissue_share = ndimage.gaussian_filter(1 - tissue.csf, sigma)
    uptake = ndimage.gaussian_filter(fields.water_uptake_percent, sigma) / np.maximum(tissue_share, 0.05)
    contrast = np.float32(patient.attenuation.grey_hu - patient.attenuation.csf_hu)
    return (filled * (contrast - np.float32(HU_PER_NWU_GREY) * uptake)).astype(np.float32)


def beam_hardening_hu(patient: Patient) -> np.ndarray:
    """Dark bar and streaks between the petrous bones and brightening under the skull, on `BRAIN`, at factor 1."""
    x, y, z = BRAIN.axes()
    cy, cz, wx, wy, wz = BAR
    sideways, along = np.exp(-((x / wx) ** 4)), np.exp(-(((y - cy) / wy) ** 2))
    hu = np.float32(patient.attenuation.interpetrous_hu) * along * np.exp(-(((z - cz) / wz) ** 2)) * sideways
    white = stream(patient.seed, "streak profile").standard_normal(BRAIN.shape[1:], dtype=np.float32)
    profile = ndimage.gaussian_filter(white, [sigma / BRAIN.step_mm for sigma in STREAK_SIGMA_MM])
    streaks = np.float32(patient.attenuation.streak_hu) * profile / profile.std()
    hu += streaks[None] * along * np.exp(-(((z - cz) / (STREAK_HEIGHT * wz)) ** 2)) * sideways
    depth = atlas(patient.head.anatomy).depth
    return hu + patient.attenuation.cupping_hu * np.exp(np.minimum(depth, 0) / np.float32(CUPPING_DEPTH_MM))


def intracranial_hu(patient: Patient, tissue: Tissue, fields: Haemodynamics, *, beam_hardening: float) -> np.ndarray:
    """HU on `BRAIN` without vessels and noise, float32; CSF beyond the brain's surface."""
    traits = patient.attenuation
    grey_hu = traits.grey_hu + tissue.deep_grey * np.float32(traits.deep_grey_hu - traits.grey_hu)
    hu = tissue.grey * grey_hu + tissue.white * np.float32(traits.white_hu) + tissue.csf * np.float32(traits.csf_hu)
    hu += HYPODENSE_HU * tissue.hypodense_white
    hu += TEXTURE_HU * smooth_field(stream(patient.seed, "texture"), BRAIN, TEXTURE_SIGMA_MM) * (1 - tissue.csf)
    for share, value in (
        (np.maximum(tissue.lacune, tissue.old_infarct), traits.csf_hu + SCAR_ABOVE_CSF_HU),
        (tissue.dura, DURA_HU),
        (tissue.calcification, CALCIFICATION_HU),
    ):
        hu += share * (np.float32(value) - hu)
    hu += left_right_field(patient)
    hu += np.float32(beam_hardening) * beam_hardening_hu(patient)
    # Last, and alone: without water uptake and swelling this adds exact zeros, so that the twin is bit-identical.
    hu += water_uptake_hu(tissue, fields) + swelling_hu(patient, tissue, fields)
    return hu.astype(np.float32)
