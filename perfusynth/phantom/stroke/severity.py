"""Fields that order the voxels of one patient by what the occlusion does to them, on the coarse lattice.

Severity is deepest where the perfused neighbours, from which leptomeningeal collaterals come, are furthest, and in the
territory of end arteries; smooth random fields roughen it, and let flow and tissue tolerance differ from it.
"""

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from scipy import ndimage

from perfusynth.phantom.arteries.territories import occluded_share, territory
from perfusynth.phantom.head.atlas import FORAMEN_MAGNUM_Z, atlas
from perfusynth.phantom.head.tissue import VENTRICLE_WIDENING_MM
from perfusynth.phantom.head.traits import Anatomy
from perfusynth.phantom.lattice import BRAIN, BRAIN_COARSE, smooth_field, stream, upsample
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.stroke.shapes import signed_distance_mm

#: Depth over which flow from across the border falls to 1/e by collaterals, mm [d].
COLLATERAL_DEPTH_MM = {"poor": 8.0, "middle": 14.0, "good": 22.0}
#: Share of that flow which end arteries (striatum, thalamus) do not get [d].
END_ARTERY_LOSS = 0.8
#: Below this share of occlusion tissue counts as a donor of collaterals [d].
DONOR_SHARE = 0.35
#: Blur of the territory's border, mm: delay goes on a little beyond it [d].
BORDER_SIGMA_MM = 6.0
#: Severity at the border relative to that beyond reach of collaterals [d].
BORDER_SEVERITY = 0.25
#: Chronic ICA occlusion: distance from the border at which delay is largest (border zone), and its width, mm [d].
BORDER_ZONE_MM, BORDER_ZONE_WIDTH_MM = 8.0, 12.0
#: Roughness of severity, and of flow against severity: SD relative to full severity, sigma mm [d, fitted to Cer].
SEVERITY_ROUGHNESS, SEVERITY_SIGMA_MM = 0.12, 11.0
FLOW_ROUGHNESS, FLOW_SIGMA_MM = 0.07, 8.0
#: Tissue tolerance: sigma of its smooth and of its patchy part, mm; share of the patchy part in the SD [d]; step of
#: the lattice on which the patches are drawn, mm.
TOLERANCE_SIGMA_MM, PATCH_SIGMA_MM, PATCH_SHARE, PATCH_STEP_MM = 9.0, 4.5, 0.6, 6.0
#: Reperfusion opens whole branches: sigma of its field, mm; width of its border in SD of the field [d].
REOPENED_SIGMA_MM, REOPENED_WIDTH = 12.0, 0.15
#: Seizure: sigma of the hyperperfused patch of cortex, mm, and the field's level (SD) from which it begins [d].
SEIZURE_SIGMA_MM, SEIZURE_LEVEL = 14.0, -0.3
#: Variation of normal tissue, sigma mm [d].
VARIATION_SIGMA_MM = 12.0
#: Real shapes: how far beyond the infarct the tissue at risk can reach, mm [d].
SHAPE_REACH_MM = 30.0


@dataclass(frozen=True, eq=False)
class Order:
    """Fields on one lattice, float32: `BRAIN_COARSE`, or finer after `refined`.

    Parameters
    ----------
    severity, flow_order
        What orders delay and flow; 0 out of reach of the occlusion.
    tolerance
        Tissue's own deviation from the flow at which it dies, mean 0, SD 1.
    shape_mm
        Distance inside a real infarct's border, negative outside, mm; 0 where no shape is given.
    reopened
        Share 0-1 with restored flow.
    hyperperfused
        Share 0-1 that a seizure excites.
    tmax_variation, cbf_variation
        Normal tissue's own, mean 0, SD 1.
    """

    severity: np.ndarray
    flow_order: np.ndarray
    tolerance: np.ndarray
    shape_mm: np.ndarray
    reopened: np.ndarray
    hyperperfused: np.ndarray
    tmax_variation: np.ndarray
    cbf_variation: np.ndarray

    def refined(self, at: np.ndarray) -> "Order":
        """The same fields on `BRAIN` at flat indices ``at``."""
        found = {}
        for field in fields(self):
            coarse = getattr(self, field.name)
            fine = upsample(coarse, BRAIN_COARSE, BRAIN).ravel()[at] if coarse.any() else np.zeros(len(at), np.float32)
            found[field.name] = fine
        return Order(**found)

    def at(self, where: np.ndarray) -> "Order":
        """The same fields at flat indices."""
        return Order(**{field.name: getattr(self, field.name).ravel()[where] for field in fields(self)})


@dataclass(frozen=True, eq=False)
class CoarseBrain:
    """Mean tissue of an atlas on `BRAIN_COARSE`, float32; ``depth, ventricle_mm`` as in the atlas, the others 0-1."""

    depth: np.ndarray
    ventricle_mm: np.ndarray
    grey: np.ndarray
    white: np.ndarray
    end_artery: np.ndarray


@lru_cache(maxsize=4)
def coarse_brain(anatomy: Anatomy) -> CoarseBrain:
    """An atlas at 4 mm, once per process."""
    a = atlas(anatomy)
    found = (
        upsample(ndimage.gaussian_filter(field, 1.0), BRAIN, BRAIN_COARSE)
        for field in (a.depth, a.ventricle_mm, a.grey, a.white, a.deep_grey)
    )
    return CoarseBrain(*found)


def inside_share(patient: Patient) -> np.ndarray:
    """Share 0-1 of each coarse voxel in which a clinical volume is counted: the brain, sulci included."""
    brain, z = coarse_brain(patient.head.anatomy), BRAIN_COARSE.axes()[2]
    step = np.float32(BRAIN_COARSE.step_mm)
    surface = patient.head.csf_gap_mm / float(np.mean(patient.head.scale))
    low, high = VENTRICLE_WIDENING_MM
    wall = low + (high - low) * patient.head.ventricle_size
    within = np.clip((surface - brain.depth) / step + 0.5, 0, 1)
    within *= np.clip((brain.ventricle_mm - wall) / step + 0.5, 0, 1)
    return (within * (z > FORAMEN_MAGNUM_Z)).astype(np.float32)


def voxel_ml(patient: Patient, step_mm: float) -> float:
    """Volume of a lattice voxel at the patient's own size, mL."""
    return step_mm**3 * float(np.prod(patient.head.scale)) / 1000


def _own_side(patient: Patient) -> np.ndarray:
    x = BRAIN_COARSE.axes()[0]
    if patient.stroke.side == "both":
        return np.ones_like(x)
    sign = 1.0 if patient.stroke.side == "right" else -1.0
    return (0.5 * (1 + np.tanh(sign * x / np.float32(3.0)))).astype(np.float32)


def _border_distance(share: np.ndarray, inside: np.ndarray, own_side: np.ndarray) -> np.ndarray:
    """Distance to perfused tissue of the same hemisphere, mm; none comes across the falx or the skull."""
    donors = (inside > 0.5) & (share < DONOR_SHARE) & (own_side > 0.5)
    if not donors.any():
        return np.full(share.shape, 100.0, dtype=np.float32)
    hit = np.argwhere(share > 0.02)
    box = tuple(slice(max(a - 3, 0), b + 4) for a, b in zip(hit.min(0), hit.max(0), strict=True))
    distance = np.zeros(share.shape, dtype=np.float32)
    distance[box] = ndimage.distance_transform_edt(~donors[box]) * BRAIN_COARSE.step_mm
    return distance


def _severity(patient: Patient, share: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Severity, and how fully a voxel is within reach (0-1)."""
    own_side = _own_side(patient)
    reached = ndimage.gaussian_filter(share, BORDER_SIGMA_MM / BRAIN_COARSE.step_mm) * own_side
    edge = np.clip((reached - 0.04) / 0.25, 0, 1)
    distance = _border_distance(share, inside, own_side)
    rough = smooth_field(stream(patient.seed, "severity"), BRAIN_COARSE, SEVERITY_SIGMA_MM)
    if patient.stroke.chronic_ica:
        depth = np.exp(-(((distance - BORDER_ZONE_MM) / BORDER_ZONE_WIDTH_MM) ** 2))
    else:
        fed = np.exp(-distance / np.float32(COLLATERAL_DEPTH_MM[patient.stroke.collaterals]))
        depth = 1 - fed * (1 - END_ARTERY_LOSS * coarse_brain(patient.head.anatomy).end_artery)
    severity = reached * (BORDER_SEVERITY + (1 - BORDER_SEVERITY) * depth) + SEVERITY_ROUGHNESS * rough
    return (np.clip(severity, 0.01, None) * edge).astype(np.float32), edge


def _shape_severity(patient: Patient, share: np.ndarray, shape_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Severity that falls from a real infarct's centre into its surroundings, within the territory."""
    rough = smooth_field(stream(patient.seed, "severity"), BRAIN_COARSE, SEVERITY_SIGMA_MM)
    within = np.maximum(ndimage.gaussian_filter(share, 1.0), np.clip(1 + shape_mm / 8, 0, 1))
    outside = np.clip(1 + shape_mm / SHAPE_REACH_MM, 0, 1)
    severity = 0.5 * outside + np.clip(shape_mm / SHAPE_REACH_MM, 0, 0.5)
    # Inside the infarct nothing is roughened: the core keeps its shape.
    severity = severity * within + 0.5 * SEVERITY_ROUGHNESS * rough * np.clip(-shape_mm / 8, 0, 1)
    edge = np.clip(within * outside / 0.25, 0, 1)
    return (np.clip(severity, 0.01, None) * edge).astype(np.float32), edge


@dataclass(frozen=True, eq=False)
class Ranking:
    """Voxels by falling value: their values, and the volume (mL) down to each."""

    values: np.ndarray
    cumulative_ml: np.ndarray

    def level(self, volume_ml: float) -> float:
        """Value above which voxels add up to ``volume_ml``."""
        return float(np.interp(volume_ml, self.cumulative_ml, self.values))


def ranking(order: np.ndarray, volumes_ml: np.ndarray, among: np.ndarray) -> Ranking:
    """Rank the voxels (mask ``among``) that have a volume; there must be one."""
    at = np.flatnonzero(among & (volumes_ml > 0))
    values = order.ravel()[at]
    by_value = np.argsort(-values)
    return Ranking(values[by_value], np.cumsum(volumes_ml.ravel()[at][by_value], dtype=np.float64))


def _reopened(patient: Patient, severity: np.ndarray, volumes_ml: np.ndarray) -> np.ndarray:
    """Share 0-1 of restored flow: the drawn share of the tissue that is (or was) worst off."""
    if patient.stroke.reperfused <= 0 or patient.stroke.core_target_ml <= 0:
        return np.zeros_like(severity)
    field = smooth_field(stream(patient.seed, "reperfusion"), BRAIN_COARSE, REOPENED_SIGMA_MM)
    worst = severity > ranking(severity, volumes_ml, severity > 0).level(patient.stroke.core_target_ml)
    if not (worst & (volumes_ml > 0)).any():
        return np.zeros_like(severity)
    total = float(volumes_ml[worst].sum())
    level = ranking(field, volumes_ml, worst).level(patient.stroke.reperfused * total)
    return np.clip((field - level) / REOPENED_WIDTH + 0.5, 0, 1) * (severity > 0)


def _hyperperfused(patient: Patient) -> np.ndarray:
    """A patch of the temporal and parietal cortex: the inferior MCA territory's part of a smooth field."""
    field = smooth_field(stream(patient.seed, "seizure"), BRAIN_COARSE, SEIZURE_SIGMA_MM)
    return territory(patient, ("MCA-inf",), patient.stroke.side) * np.clip(field - SEIZURE_LEVEL, 0, 1)


def _tolerance(patient: Patient) -> np.ndarray:
    """Smooth deviations of the tissue's tolerance, and small patches: mean 0, SD about 1."""
    smooth = smooth_field(stream(patient.seed, "tolerance"), BRAIN_COARSE, TOLERANCE_SIGMA_MM)
    wide = BRAIN_COARSE.coarser(PATCH_STEP_MM)
    patchy = upsample(smooth_field(stream(patient.seed, "tolerance patches"), wide, PATCH_SIGMA_MM), wide, BRAIN_COARSE)
    return np.float32(np.sqrt(1 - PATCH_SHARE**2)) * smooth + np.float32(PATCH_SHARE) * patchy


def order_of(patient: Patient) -> Order:
    """All ordering fields of one patient on `BRAIN_COARSE`; every field has its own random stream."""
    stroke = patient.stroke
    zero = np.zeros(BRAIN_COARSE.shape, dtype=np.float32)
    severity = flow = tolerance = shape_mm = reopened = zero
    if stroke.site != "none" or stroke.chronic_ica:
        share = occluded_share(patient)
        inside = inside_share(patient)
        if stroke.lesion_shape:
            shape_mm = signed_distance_mm(stroke.lesion_shape)
            severity, edge = _shape_severity(patient, share, shape_mm)
        else:
            severity, edge = _severity(patient, share, inside)
        field = smooth_field(stream(patient.seed, "flow"), BRAIN_COARSE, FLOW_SIGMA_MM)
        flow = np.clip(severity + FLOW_ROUGHNESS * field * edge, 0.005, None) * (severity > 0)
        tolerance = _tolerance(patient)
        reopened = _reopened(patient, severity, inside * voxel_ml(patient, BRAIN_COARSE.step_mm))
    return Order(
        severity=severity,
        flow_order=flow.astype(np.float32),
        tolerance=tolerance,
        shape_mm=shape_mm,
        reopened=reopened.astype(np.float32),
        hyperperfused=_hyperperfused(patient).astype(np.float32) if stroke.mimic == "seizure" else zero,
        tmax_variation=smooth_field(stream(patient.seed, "normal tmax"), BRAIN_COARSE, VARIATION_SIGMA_MM),
        cbf_variation=smooth_field(stream(patient.seed, "normal cbf"), BRAIN_COARSE, VARIATION_SIGMA_MM),
    )
