"""Figures of one patient's measured perfusion maps, against the DWI core and the fields that were simulated."""

import numpy as np
from scipy import ndimage

from perfusynth.evaluation.realism.estimates import area_under_curve
from perfusynth.evaluation.realism.ncct_figures import GREY_MIN, REGION_MINIMUM_ML, WHITE_MIN, Figures
from perfusynth.evaluation.realism.views import PARENCHYMA_MIN, STRAIGHT_MM, View
from perfusynth.perfusion.regions import Regions, RegionSettings, measure_regions
from perfusynth.phantom.ctp.maps import MeasuredMaps, curve_table, measured_maps
from perfusynth.phantom.ctp.protocols import PROTOCOLS
from perfusynth.phantom.scene import Scene
from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.volume import Volume

#: The study of every perfusion row: it covers the whole brain.
PROTOCOL = PROTOCOLS["wide_160mm"]
#: Core threshold that is compared with DWI, as a share of normal tissue's CBF [Cer].
SETTINGS = RegionSettings(core_fraction=0.38)
#: Tissue with a true Tmax below this, s, and further than this from the rest, mm, has no deficit: what is above 6 s
#: there is artefact.
NORMAL_TMAX_S, DEFICIT_MARGIN_MM = 4.0, 8.0
#: Nearly pure tissue, and how many voxels of it give the typical curve of a bolus.
PURE, CURVE_VOXELS = 0.95, 400


def _straight_volume(array: np.ndarray) -> Volume:
    """An array of the straight grid in a frame whose axes are the grid's own."""
    affine = np.diag([*STRAIGHT_MM, 1.0])
    affine[:3, 3] = -np.array(STRAIGHT_MM) * (np.array(array.shape) - 1) / 2
    return Volume(array, affine)


def perfusion_figures(view: View) -> Figures:
    """Volumes as a reading workstation measures them, relative flow, agreement with DWI, artefacts, bolus."""
    scene = view.scene
    maps = measured_maps(scene, view.grid, PROTOCOL, scene.patient.seed)
    brain = (maps.cbf > 0) & maps.valid
    midplane = Midplane(np.zeros(3), np.array([1.0, 0.0, 0.0]))
    regions = measure_regions(_straight_volume(maps.tmax), _straight_volume(maps.cbf), brain, midplane, SETTINGS)
    ill = scene.patient.stroke.site != "none"
    true6, true10 = (view.tmax > limit for limit in (SETTINGS.hypoperfusion_s, SETTINGS.severe_s))
    away = ndimage.distance_transform_edt(view.tmax < NORMAL_TMAX_S, sampling=STRAIGHT_MM) > DEFICIT_MARGIN_MM
    healthy = away & brain
    found: Figures = {
        "tmax6_ml": regions.hypoperfusion_ml,
        "tmax6_true_ml": float((true6 & brain).sum() * view.grid.voxel_ml),
        "hir": regions.hir if ill else None,
        "hir_true": float(true10.sum() / true6.sum()) if ill and true6.any() else None,
        "artefact_tmax6_ml": float((regions.hypoperfusion & healthy).sum() * view.grid.voxel_ml),
        "normal_tmax_s": float(np.median(maps.tmax[healthy])),
        "white_cbf": float(maps.cbf[healthy & (view.white > WHITE_MIN)].mean()),
        "grey_cbf": float(maps.cbf[healthy & (view.grey > GREY_MIN)].mean()),
        **_curve_figures(scene),
    }
    if ill:
        found |= _core_figures(view, maps, regions)
    return found


def _core_figures(view: View, maps: MeasuredMaps, regions: Regions) -> Figures:
    """The DWI core against measured flow; volumes pooled later over patients are kept as mL."""
    ml = view.grid.voxel_ml
    core, low_flow, deficit = view.core & maps.valid, regions.core, regions.hypoperfusion
    found: Figures = {
        "core_ml": float(view.core.sum() * ml),
        "rcbf38_ml": float(low_flow.sum() * ml),
        "rcbf38_hit_ml": float((low_flow & core).sum() * ml),
        "rcbf38_missed_ml": float((core & ~low_flow).sum() * ml),
        "rcbf38_false_ml": float((deficit & low_flow & ~core).sum() * ml),
        "rcbf38_spared_ml": float((deficit & ~low_flow & ~core).sum() * ml),
    }
    if view.scene.patient.stroke.side == "both":
        return found
    tissue = view.parenchyma & (maps.cbf > 0)
    rcbf = view.field(lambda scene: scene.haemodynamics.rcbf)
    penumbra = (view.tmax > SETTINGS.hypoperfusion_s) & ~view.core
    for name, region in (("core", core), ("penumbra", penumbra)):
        own, mirror = region & tissue, region[::-1] & tissue & ~deficit
        if min(own.sum(), mirror.sum()) * ml < REGION_MINIMUM_ML:
            continue
        found[f"{name}_rcbf"] = float(maps.cbf[own].mean() / maps.cbf[mirror].mean())
        found[f"{name}_rcbf_true"] = float(rcbf[own].mean())
    half = np.zeros(core.shape, dtype=bool)
    half[: core.shape[0] // 2] = True  # the patient's left: x grows to the right
    hemisphere = tissue & (half if view.scene.patient.stroke.side == "left" else ~half)
    if (core & hemisphere).sum() * ml >= REGION_MINIMUM_ML:
        found["cbf_auc"] = area_under_curve(-maps.cbf[core & hemisphere], -maps.cbf[hemisphere & ~core])
    return found


def _curve_figures(scene: Scene) -> Figures:
    """The bolus, and the highest enhancement of typical pure tissue without noise, HU."""
    circulation, fields, tissue = scene.patient.circulation, scene.haemodynamics, scene.tissue
    table = curve_table(circulation, PROTOCOL)
    found: Figures = {"aif_peak_hu": circulation.aif_peak_hu, "aif_fwhm_s": circulation.aif_fwhm_s}
    normal = fields.tmax_expected_s < NORMAL_TMAX_S
    where = {
        "grey": normal & (tissue.grey > PURE),
        "white": normal & (tissue.white > PURE),
        "core": (fields.core > 0.5) & (tissue.csf < 1 - PARENCHYMA_MIN),
    }
    for name, region in where.items():
        at = np.flatnonzero(region)
        if len(at) < CURVE_VOXELS:
            continue
        at = at[:: len(at) // CURVE_VOXELS]
        cbf, mtt, dispersion, delay = (
            field.ravel()[at] for field in (fields.cbf, fields.mtt_s, fields.dispersion_s, fields.delay_s)
        )
        found[f"{name}_peak_hu"] = float(np.median(table(cbf, mtt, dispersion, delay).max(axis=1)))
    return found
