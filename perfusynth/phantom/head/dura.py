"""Falx and tentorium with the sinuses in their edges: thin sheets that CT shows slightly dense."""

import numpy as np
from scipy import ndimage

from perfusynth.phantom.lattice import BRAIN

#: Thickness of the sheets, mm.
SHEET_MM = 1.4
#: Height of the falx from the inner table, mm, at MNI y from the frontal pole back.
FALX_HEIGHT_MM = ((62.0, 14.0), (30.0, 24.0), (-10.0, 30.0), (-45.0, 38.0), (-60.0, 44.0), (-95.0, 44.0))
#: The falx ends above the cribriform plate in front and at the tentorium behind, MNI z in mm.
FALX_LOWEST_Z = -18.0
#: How far the tentorium's guessed height may be moved to the fissure that the template shows, mm, its smoothness, mm.
TENTORIUM_SEARCH_MM, TENTORIUM_SIGMA_MM = 5.0, 5.0
#: Notch of the tentorium: centre y and half-axes x, y, MNI mm.
NOTCH = (-26.0, 19.0, 27.0)
#: Superior sagittal sinus: height and half-width at the inner table, mm, in front of and behind the vertex.
SINUS_HEIGHT_MM, SINUS_HALF_MM = 7.0, 4.5


def tentorium_z(lateral: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Guess of the tentorium's height, MNI mm, at |x| and y."""
    back = np.clip(y + 90, 0, 60)
    return -17 - 0.12 * lateral - 0.002 * lateral**2 + back * (0.50 * np.exp(-((lateral / 14) ** 2)) + 0.10)


def dura_sheets(csf: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Fraction 0-1 of dura on `BRAIN`, float32, from the CSF prior and the depth (mm, negative inside)."""
    x, y, z = BRAIN.axes()
    lateral = np.abs(x)
    inside = np.clip(0.5 - depth / BRAIN.step_mm, 0, 1)
    share = SHEET_MM / BRAIN.step_mm
    below_table = np.interp(y, *np.array(FALX_HEIGHT_MM)[::-1].T).astype(np.float32) + depth
    tent = tentorium_z(lateral, y)[:, :, 0]
    near = ndimage.gaussian_filter(csf, 1.0) * np.exp(-(((z - tent[:, :, None]) / TENTORIUM_SEARCH_MM) ** 2))
    weight = near**4 + 1e-6 * np.exp(-(((z - tent[:, :, None]) / TENTORIUM_SEARCH_MM) ** 2))
    found = (weight * z).sum(axis=2) / weight.sum(axis=2)
    tent = ndimage.gaussian_filter(found, TENTORIUM_SIGMA_MM / BRAIN.step_mm)[:, :, None]

    falx = np.clip(1 - lateral / BRAIN.step_mm, 0, 1) * np.clip(below_table / BRAIN.step_mm + 0.5, 0, 1)
    falx = falx * ((z > FALX_LOWEST_Z) & (z > tent))
    cy, rx, ry = NOTCH
    notch = np.sqrt((x / rx) ** 2 + (np.minimum(y - cy, 0) / ry) ** 2)
    sheet = np.clip(1 - np.abs(z - tent) / BRAIN.step_mm, 0, 1) * np.clip((notch - 1) * 8 + 0.5, 0, 1)
    sheet = sheet * np.clip((-32 - y) / BRAIN.step_mm, 0, 1)
    sinus_width = SINUS_HALF_MM * np.clip(1 + depth / SINUS_HEIGHT_MM, 0, 1)
    sinus = np.clip((sinus_width - lateral) / BRAIN.step_mm + 0.5, 0, 1) * (sinus_width > 0) * (z > tent)
    sinus = sinus * np.clip((60 - y) / 40, 0.3, 1)
    return (inside * np.maximum(share * np.maximum(falx, sheet), 0.9 * sinus)).astype(np.float32)
