"""Figures of one patient's NCCT: contrast, asymmetry, and what the stroke darkens."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from perfusynth.evaluation.realism.views import STRAIGHT_MM, View, straight_grid
from perfusynth.phantom.ct.image import add_noise
from perfusynth.phantom.ct.ncct import noise_free_ncct
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.scene import Scene, scene_of

#: The scanner of every NCCT row: 5 mm slices, noise as measured on a real scan.
SCANNER = SCANNERS["standard_5mm"]
#: Fractions from which a voxel counts as nearly pure grey or white matter.
GREY_MIN, WHITE_MIN = 0.85, 0.90
#: Smoothing at which left and right are compared, mm, and tissue that counts, HU (CSF and bone do not).
ASYMMETRY_SIGMA_MM, TISSUE_HU = 10.0, (15.0, 55.0)
#: Regions smaller than this are not measured, mL.
REGION_MINIMUM_ML = 1.0
#: Distance from the core in which tissue is not counted as penumbra, voxels: slabs mix the border.
CORE_MARGIN_VOXELS = 2
PENUMBRA_TMAX_S = 6.0

Figures = dict[str, float | bool | str | None]


@dataclass(frozen=True, eq=False)
class Scans:
    """NCCT of a patient and of his deficit-free twin on the straight grid, with and without (the same) noise."""

    view: View
    healthy: View
    ill: np.ndarray
    twin: np.ndarray
    noise: np.ndarray


def zeroed(patient: Patient) -> Patient:
    """The patient with all that his stroke does to the NCCT set to 0; flow and delay stay."""
    return patient.with_stroke(nwu_percent=0.0, clot_contrast_hu=0.0, swelling=0.0)


def scans_of(scene: Scene) -> Scans:
    """Render both; one noise for both, so that they differ by the stroke alone."""
    grid = straight_grid(scene.placement)
    ill, _ = noise_free_ncct(scene, grid, SCANNER)
    healthy = scene_of(scene.patient.without_deficit())
    twin = ill if scene.patient.stroke.site == "none" else noise_free_ncct(healthy, grid, SCANNER)[0]
    noise = np.zeros_like(ill)
    add_noise(noise, scene, grid, SCANNER, scene.patient.seed)
    return Scans(View(scene, grid), View(healthy, grid), ill, twin, noise)


def identity_figures(scans: Scans) -> Figures:
    """Whether the NCCT without water uptake, clot and swelling is, bit by bit, the twin's (noise knows no stroke)."""
    patient, grid = scans.view.scene.patient, scans.view.grid
    if patient.stroke.site == "none":
        return {"zeroed_is_twin": None}
    image, _ = noise_free_ncct(scene_of(zeroed(patient)), grid, SCANNER)
    return {"zeroed_is_twin": bool(np.array_equal(image, scans.twin))}


def contrast_figures(scans: Scans) -> Figures:
    """Grey and white matter of the twin, HU, in voxels that are nearly pure at 5 mm."""
    view, hu = scans.healthy, scans.twin + scans.noise
    grey, white = hu[view.grey > GREY_MIN].mean(), hu[view.white > WHITE_MIN].mean()
    return {"white_hu": float(white), "grey_minus_white_hu": float(grey - white)}


def asymmetry_figures(scans: Scans) -> Figures:
    """SD of left minus right of the deficit-free scan after smoothing by 10 mm, HU."""
    hu = scans.twin + scans.noise
    tissue = (hu > TISSUE_HU[0]) & (hu < TISSUE_HU[1]) & (scans.healthy.grey + scans.healthy.white > 0.5)
    sigma = [ASYMMETRY_SIGMA_MM / step for step in STRAIGHT_MM]
    weight = ndimage.gaussian_filter(tissue.astype(np.float32), sigma)
    smooth = ndimage.gaussian_filter(np.where(tissue, hu, 0), sigma) / np.maximum(weight, 0.05)
    both = (weight > 0.6) & (weight[::-1] > 0.6)
    return {"left_right_sd_hu": float((smooth - smooth[::-1])[both].std())}


def _left_minus_right(hu: np.ndarray, region: np.ndarray, tissue: np.ndarray) -> float:
    """Mean of a region minus mean of its mirror image, CSF left out on both sides."""
    return float(hu[region & tissue].mean() - hu[region[::-1] & tissue].mean())


def visibility_figures(scans: Scans) -> Figures:
    """Darkening of core and penumbra: the true one, and what an observer who knows the region measures.

    ``*_darker_hu``: mirror image minus region on the noisy scan (positive: the ill side is darker);
    ``*_darker_twin_hu``: the same region on the deficit-free twin, whose left-right field is the same.
    """
    view = scans.view
    tissue = scans.healthy.parenchyma  # where swelling has closed a sulcus, the twin holds CSF
    near_core = ndimage.binary_dilation(view.core, iterations=CORE_MARGIN_VOXELS) | view.core
    regions = {"core": view.core, "penumbra": (view.tmax > PENUMBRA_TMAX_S) & ~near_core}
    if scans.view.scene.patient.stroke.side == "both":
        regions = {}
    found: Figures = {}
    for name, region in regions.items():
        own, mirror = region & tissue, region[::-1] & tissue
        if min(own.sum(), mirror.sum()) * view.grid.voxel_ml < REGION_MINIMUM_ML:
            continue
        # Net water uptake as it is defined: relative loss of HU against the same tissue when healthy.
        found[f"{name}_nwu_percent"] = float(100 * (1 - scans.ill[own].mean() / scans.twin[own].mean()))
        found[f"{name}_darker_hu"] = -_left_minus_right(scans.ill + scans.noise, region, tissue)
        found[f"{name}_darker_twin_hu"] = -_left_minus_right(scans.twin + scans.noise, region, tissue)
    return found
