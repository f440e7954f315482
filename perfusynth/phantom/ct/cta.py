"""CT angiography of a patient on any grid: filled arteries, the clot's gap, early veins, and the tissue's blush."""

from functools import partial

import numpy as np

from perfusynth.phantom.arteries.courses import ARTERY_LABELS
from perfusynth.phantom.arteries.filling import BEHIND_CLOT, lost_at
from perfusynth.phantom.arteries.lumen import lumen_at
from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.ct.image import add_noise, noise_free_image
from perfusynth.phantom.ct.ncct import brain_hu
from perfusynth.phantom.ct.plaque import add_plaque
from perfusynth.phantom.ct.scanners import Scanner
from perfusynth.phantom.grid import Grid, planes_of
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.scene import Scene

#: Vessels with the full arterial enhancement; all others have this share of it (M2: -15 %, from memory).
LARGE_ARTERIES, BRANCH_SHARE = ("ICA", "M1", "vertebral", "basilar"), 0.85
#: Density of brain, g/mL: CBV in mL/100 g to a share of the voxel.
BRAIN_DENSITY = 1.04
#: Enhancement of the tissue's own blood lies between arteries and veins: weight of the arteries [d: grey +5-8 HU].
ARTERIAL_WEIGHT = 0.5
#: Delay by which the blush of a scan in the arterial phase falls to 1/e, s [d].
BLUSH_DELAY_S = 15.0
#: Share of a voxel that must be lumen for it to carry an artery's label.
LABEL_SHARE = 0.5


def blush_hu(scene: Scene) -> np.ndarray:
    """Enhancement of brain tissue on `BRAIN`, HU: its blood volume, less where blood arrives late."""
    traits, fields = scene.patient.attenuation, scene.haemodynamics
    share = ARTERIAL_WEIGHT + (1 - ARTERIAL_WEIGHT) * traits.venous_share
    enhancement = share * (traits.arterial_hu - traits.blood_hu)
    volume = fields.cbv * np.float32(BRAIN_DENSITY / 100)
    return (volume * np.float32(enhancement) * np.exp(-fields.delay_s / np.float32(BLUSH_DELAY_S))).astype(np.float32)


def _add_vessels(patient: Patient, hu: np.ndarray, points: np.ndarray) -> None:
    traits = patient.attenuation
    blood, enhancement = np.float32(traits.blood_hu), np.float32(traits.arterial_hu - traits.blood_hu)
    add_plaque(hu, points, patient)
    veins = lumen_at(points, patient, veins=True)
    hu[veins.at] += veins.share * (blood + np.float32(traits.venous_share) * enhancement - hu[veins.at])
    arteries = lumen_at(points, patient)
    large = np.array([s.label in {ARTERY_LABELS[n] for n in LARGE_ARTERIES} for s in tree_of(patient).segments])
    filled = 1 - lost_at(points, arteries, patient) * (1 - BEHIND_CLOT[patient.stroke.collaterals])
    filled *= np.where(large, 1.0, BRANCH_SHARE)[arteries.segment]
    value = np.where(arteries.clot > 0, patient.stroke.clot_contrast_hu, filled * enhancement).astype(np.float32)
    hu[arteries.at] += arteries.share * (blood + value - hu[arteries.at])


def noise_free_cta(scene: Scene, grid: Grid, scanner: Scanner) -> tuple[np.ndarray, np.ndarray]:
    """HU without noise, float32, and the brain, bool, as `noise_free_ncct`; ``grid`` is in the head's frame."""
    tissue_hu = brain_hu(scene.patient, scanner.beam_hardening) + blush_hu(scene)
    return noise_free_image(scene, grid, scanner, tissue_hu, partial(_add_vessels, scene.patient))


def render_cta(scene: Scene, grid: Grid, scanner: Scanner, noise_seed: int) -> tuple[np.ndarray, np.ndarray]:
    """CTA in HU with noise, float32, and the brain, bool, on ``grid`` (in the head's frame).

    ``scanner`` is the angiographic protocol (`CTA_PROTOCOL`).
    """
    hu, brain = noise_free_cta(scene, grid, scanner)
    add_noise(hu, scene, grid, scanner, noise_seed)
    return hu, brain


def artery_labels(scene: Scene, grid: Grid) -> np.ndarray:
    """Label (`ARTERY_LABELS`) of the artery in each voxel of ``grid`` (in the head's frame), uint8, 0 elsewhere.

    Occluded arteries are labelled like open ones: the labels are anatomy, not what fills.
    """
    labels = np.zeros(grid.shape, dtype=np.uint8)
    of_segment = np.array([segment.label for segment in tree_of(scene.patient).segments], dtype=np.uint8)
    for planes in planes_of(scene.placement, grid):
        points = planes.centres(scene.placement, grid)
        lumen = lumen_at(points.reshape(3, -1), scene.patient)
        inside = lumen.share >= LABEL_SHARE
        found = np.zeros(points.shape[1:], dtype=np.uint8)
        found.ravel()[lumen.at[inside]] = of_segment[lumen.segment[inside]]
        labels[planes.where] = found
    return labels
