"""Figures of one patient's diffusion and FLAIR images: what a reader measures in the DWI lesion and its mirror."""

import numpy as np

from perfusynth.evaluation.realism.ncct_figures import REGION_MINIMUM_ML, Figures
from perfusynth.evaluation.realism.views import View, straight_grid
from perfusynth.phantom.mr.dwi import render_adc, render_dwi
from perfusynth.phantom.mr.flair import FLAIR_POSITIVE, render_flair
from perfusynth.phantom.mr.images import PIXEL_MM, Sequence, coil_sensitivity
from perfusynth.phantom.scene import Scene

DWI: Sequence = "dwi"
FLAIR: Sequence = "flair"
#: Fraction from which a voxel counts as pure grey or white matter.
PURE = 0.95


def mr_figures(scene: Scene) -> Figures:
    """ADC of healthy tissue; in the DWI lesion, against its mirror image: ADC ratio, DWI contrast, FLAIR ratio."""
    view = View(scene, straight_grid(scene.placement, PIXEL_MM[DWI]))
    seed = view.scene.patient.seed
    adc = render_adc(view.scene, view.grid, seed)
    healthy = (view.tmax < 4) & (adc > 0) & ~view.core
    found: Figures = {
        "adc_white": float(np.median(adc[healthy & (view.white > PURE)])),
        "adc_grey": float(np.median(adc[healthy & (view.grey > PURE)])),
    }
    tissue = view.parenchyma & (adc > 0)
    lesion, mirror = view.core & tissue, view.core[::-1] & tissue & ~view.core
    if min(lesion.sum(), mirror.sum()) * view.grid.voxel_ml < REGION_MINIMUM_ML:
        return found
    # Scanners even out the coil's sensitivity, and readers compare with what is near.
    dwi, flair = (
        render(scene, view.grid, seed) / coil_sensitivity(scene, view.grid, sequence)
        for render, sequence in ((render_dwi, DWI), (render_flair, FLAIR))
    )
    ratio = float(flair[lesion].mean() / flair[mirror].mean())
    found |= {
        # Contrast to noise: the lesion's excess over its mirror image, in SD of the mirror image's voxels.
        "adc_ratio": float(adc[lesion].mean() / adc[mirror].mean()),
        "dwi_cnr": float((dwi[lesion].mean() - dwi[mirror].mean()) / dwi[mirror].std()),
        "flair_ratio": ratio,
        "flair_positive": ratio > FLAIR_POSITIVE,
    }
    return found
