"""HU of everything inside the skull on the brain lattice: tissue, net water uptake, left-right field, hardening."""

import numpy as np

from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.head.tissue import Tissue
from perfusynth.phantom.lattice import BRAIN, smooth_field, stream
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.stroke.haemodynamics import Haemodynamics

#: Darkening in HU per % net water uptake: 1 % of tissue density (grey, white) [finding 1 of the parameters].
HU_PER_NWU_GREY, HU_PER_NWU_WHITE = 0.38, 0.29
#: Darkening of hypodense white matter at grade 1, HU [d].
HYPODENSE_HU = -7.0
#: Smoothness of the disease-independent left-right field, mm.
LEFT_RIGHT_SIGMA_MM = 13.0
#: Makes up for what smoothing by 10 mm takes from the field (measured).
LEFT_RIGHT_GAIN = 1.82
#: Tissue's own smooth texture: SD in HU, sigma in mm [d].
TEXTURE_HU, TEXTURE_SIGMA_MM = 0.5, 5.0
#: Interpetrous dark bar: centre y, z and half-widths x, y, z, MNI mm.
BAR = (-24.0, -34.0, 32.0, 16.0, 9.0)
#: Depth over which the skull's cupping falls off, mm.
CUPPING_DEPTH_MM = 9.0


def left_right_field(patient: Patient) -> np.ndarray:
    """Antisymmetric smooth field on `BRAIN`, HU; SD of left minus right at 10 mm: ``left_right_hu``."""
    field = smooth_field(stream(patient.seed, "left-right"), BRAIN, LEFT_RIGHT_SIGMA_MM)
    sd = np.float32(LEFT_RIGHT_GAIN * patient.attenuation.left_right_hu / 2 / np.sqrt(2))
    return sd * (field - field[::-1])


def water_uptake_hu(tissue: Tissue, fields: Haemodynamics) -> np.ndarray:
    """Change of HU by net water uptake on `BRAIN`, <= 0."""
    per_percent = HU_PER_NWU_GREY * tissue.grey + HU_PER_NWU_WHITE * tissue.white
    return (-fields.water_uptake_percent * per_percent).astype(np.float32)


def intracranial_hu(patient: Patient, tissue: Tissue, fields: Haemodynamics, *, beam_hardening: float) -> np.ndarray:
    """HU on `BRAIN` without vessels and noise, float32; CSF beyond the brain's surface."""
    a = atlas()
    grey_hu = patient.attenuation.grey_hu + a.deep_grey * np.float32(
        patient.attenuation.deep_grey_hu - patient.attenuation.grey_hu
    )
    hu = (
        tissue.grey * grey_hu
        + tissue.white * np.float32(patient.attenuation.white_hu)
        + tissue.csf * np.float32(patient.attenuation.csf_hu)
    )
    hu += HYPODENSE_HU * tissue.hypodense_white
    hu += tissue.lacune * (np.float32(patient.attenuation.csf_hu + 4) - hu)
    hu += TEXTURE_HU * smooth_field(stream(patient.seed, "texture"), BRAIN, TEXTURE_SIGMA_MM) * (1 - tissue.csf)
    hu += left_right_field(patient)
    x, y, z = BRAIN.axes()
    cy, cz, wx, wy, wz = BAR
    bar = np.exp(-((x / wx) ** 4) - ((y - cy) / wy) ** 2 - ((z - cz) / wz) ** 2)
    cupping = patient.attenuation.cupping_hu * np.exp(np.minimum(a.depth, 0) / np.float32(CUPPING_DEPTH_MM))
    hu += np.float32(beam_hardening) * (np.float32(patient.attenuation.interpetrous_hu) * bar + cupping)
    # Last, and alone: with nwu_percent 0 this adds exact zeros, so that the twin is bit-identical.
    return (hu + water_uptake_hu(tissue, fields)).astype(np.float32)
