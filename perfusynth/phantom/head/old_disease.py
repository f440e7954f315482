"""What old disease has left in a brain: hypodense white matter, lacunes, old infarcts, calcifications."""

import numpy as np

from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.lattice import BRAIN, smooth_field, stream
from perfusynth.phantom.patient import Patient

#: Hypodense white matter: how far from the ventricles it reaches at grade 0 and 1, mm [d].
HYPODENSE_REACH_MM = (4.0, 16.0)
#: Patches in the deep white matter: grade from which there are some, and their smoothness, mm [d].
PATCHES_FROM, PATCHES_SIGMA_MM = 0.45, 7.0
#: Old infarcts: a wedge whose apex lies this share of the way from its cortex to the brain's centre; MNI mm [d].
WEDGE_APEX, BRAIN_CENTRE = 0.62, (0.0, -18.0, 10.0)
#: Unevenness of an old infarct's border, mm, and its smoothness, mm; width of the gliotic rim, mm.
BORDER_VARIATION_MM, BORDER_SIGMA_MM, RIM_MM = 3.0, 6.0, 5.0
#: Share of the tissue that is lost within the defect.
LOST_SHARE = 0.9
#: Hypodensity of the gliotic rim, in units of hypodense white matter.
RIM_GRADE = 0.8


def _ball(centre: tuple[float, float, float], radius_mm: float) -> tuple[tuple[slice, slice, slice], np.ndarray]:
    """A ball's share 0-1 of the voxels of a box of `BRAIN`, and that box."""
    box: list[slice] = []
    squared = np.zeros(1, dtype=np.float32)
    for axis, (start, n, at) in enumerate(zip(BRAIN.start, BRAIN.shape, centre, strict=True)):
        low = max(0, int((at - radius_mm - start) / BRAIN.step_mm) - 1)
        high = min(n, int((at + radius_mm - start) / BRAIN.step_mm) + 3)
        box.append(slice(low, high))
        distance = start + BRAIN.step_mm * np.arange(low, high, dtype=np.float32) - np.float32(at)
        squared = squared + (distance**2).reshape([-1 if a == axis else 1 for a in range(3)])
    return (box[0], box[1], box[2]), np.clip((radius_mm - np.sqrt(squared)) / BRAIN.step_mm + 0.5, 0, 1)


def lacunes(patient: Patient) -> np.ndarray:
    """Fraction of old lacunes on `BRAIN`, float32."""
    found = np.zeros(BRAIN.shape, dtype=np.float32)
    for *centre, radius in patient.head.lacunes:
        box, share = _ball(tuple(centre), radius)  # type: ignore[arg-type]
        found[box] = np.maximum(found[box], share)
    return found


def calcification(patient: Patient) -> np.ndarray:
    """Fraction of densely calcified tissue on `BRAIN`, float32; 1 is what the CT shows densest."""
    found = np.zeros(BRAIN.shape, dtype=np.float32)
    for *centre, radius, density in patient.head.calcifications:
        box, share = _ball(tuple(centre), radius)  # type: ignore[arg-type]
        # A ball smaller than a voxel still fills its share of one.
        volume_share = 4 / 3 * np.pi * (radius / BRAIN.step_mm) ** 3 / max(float(share.sum()), 1e-6)
        found[box] = np.maximum(found[box], density * share * min(1.0, volume_share))
    return found


def hypodense_white(patient: Patient, ventricle_mm: np.ndarray, white: np.ndarray, defect: np.ndarray) -> np.ndarray:
    """Hypodense white matter (fraction times grade) on `BRAIN`: around the ventricles, in patches, around old infarcts.

    ``ventricle_mm`` is the distance to the patient's ventricles, ``white`` his white matter, ``defect`` old infarcts.
    """
    grade = patient.head.white_matter_hypodensity
    if grade == 0 and not patient.head.old_infarcts:
        return np.zeros(BRAIN.shape, dtype=np.float32)
    found = np.zeros(BRAIN.shape, dtype=np.float32)
    if grade > 0:
        rng = stream(patient.seed, "white matter")
        low, high = HYPODENSE_REACH_MM
        uneven = np.exp(0.35 * smooth_field(rng, BRAIN, 2 * PATCHES_SIGMA_MM))
        rim = np.exp(-((np.maximum(ventricle_mm, 0) / ((low + (high - low) * grade) * uneven)) ** 2))
        patches = np.clip(smooth_field(rng, BRAIN, PATCHES_SIGMA_MM) - 0.6, 0, 1) * np.exp(-ventricle_mm / 30)
        found = grade * np.clip(rim + max(0.0, grade - PATCHES_FROM) / (1 - PATCHES_FROM) * patches, 0, 1)
    return (white * np.maximum(found, RIM_GRADE * defect * (1 - defect) * 4)).astype(np.float32)


def old_infarct(patient: Patient, csf: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fraction of old infarcts on `BRAIN`, and fraction of their tissue that is lost; both float32.

    A wedge from the cortex towards the ventricle, grown until it holds the drawn volume of tissue.
    """
    defect = np.zeros(BRAIN.shape, dtype=np.float32)
    if not patient.head.old_infarcts:
        return defect, defect
    a = atlas(patient.head.anatomy)
    x, y, z = BRAIN.axes()
    jitter = BORDER_VARIATION_MM * smooth_field(stream(patient.seed, "old infarct border"), BRAIN, BORDER_SIGMA_MM)
    for cx, cy, cz, volume_ml in patient.head.old_infarcts:
        surface, centre = np.array([cx, cy, cz]), np.array(BRAIN_CENTRE)
        if cz < -30:
            centre = np.array([0.0, -50.0, -35.0])
        apex = surface + WEDGE_APEX * (centre - surface)
        axis = (surface - apex) / np.linalg.norm(surface - apex)
        relative = [p - at for p, at in zip((x, y, z), apex, strict=True)]
        along = sum(r * c for r, c in zip(relative, axis, strict=True))
        across = np.sqrt(np.maximum(sum(r**2 for r in relative) - along**2, 0))
        own_side = np.clip(np.sign(cx) * x / BRAIN.step_mm + 0.5, 0, 1)
        # Distance outside a cone, in mm at its base; the ventricle's wall is spared.
        length = float(np.linalg.norm(surface - apex))
        outside = (across - jitter) / np.maximum(along / length, 0.05)
        allowed = own_side * (along > 0) * np.clip((a.ventricle_mm - 3) / 3, 0, 1) * (a.depth < 0)
        tissue = (1 - csf) * allowed
        order = np.sort(outside[tissue > 0.3])
        needed = int(volume_ml * 1000 / BRAIN.step_mm**3 / max(float(tissue[tissue > 0.3].mean()), 0.3))
        radius = float(order[min(needed, len(order) - 1)])
        shape = np.clip((radius - outside) * np.clip(along / length, 0.05, 1) / RIM_MM + 0.5, 0, 1) * allowed
        defect = np.maximum(defect, shape.astype(np.float32))
    return defect, (LOST_SHARE * np.clip(1.5 * defect - 0.25, 0, 1)).astype(np.float32)
