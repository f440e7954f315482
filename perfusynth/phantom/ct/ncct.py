"""The non-contrast CT of a patient on any grid."""

from functools import lru_cache, partial

import numpy as np

from perfusynth.phantom.arteries.lumen import add_arteries
from perfusynth.phantom.ct.attenuation import intracranial_hu
from perfusynth.phantom.ct.image import HU_LIMITS, add_noise, noise_free_image
from perfusynth.phantom.ct.plaque import add_plaque
from perfusynth.phantom.ct.scanners import Scanner
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.scene import Scene, scene_of

__all__ = ["HU_LIMITS", "brain_hu", "noise_free_ncct", "render_ncct"]


@lru_cache(maxsize=2)
def brain_hu(patient: Patient, beam_hardening: float) -> np.ndarray:
    """HU on `BRAIN` of all that is no vessel, without contrast medium; kept while a patient is rendered."""
    scene = scene_of(patient)
    return intracranial_hu(patient, scene.tissue, scene.haemodynamics, beam_hardening=beam_hardening)


def _add_vessels(patient: Patient, hu: np.ndarray, points: np.ndarray) -> None:
    add_plaque(hu, points, patient)
    add_arteries(hu, points, patient)


def noise_free_ncct(scene: Scene, grid: Grid, scanner: Scanner) -> tuple[np.ndarray, np.ndarray]:
    """HU without noise, float32, and the brain (inside the inner table, above the foramen magnum), bool.

    ``grid`` is in the head's frame.
    """
    tissue_hu = brain_hu(scene.patient, scanner.beam_hardening)
    return noise_free_image(scene, grid, scanner, tissue_hu, partial(_add_vessels, scene.patient))


def render_ncct(scene: Scene, grid: Grid, scanner: Scanner, noise_seed: int) -> tuple[np.ndarray, np.ndarray]:
    """NCCT in HU with noise, float32, and the brain, bool, on ``grid`` (in the head's frame).

    ``noise_seed`` seeds all that differs between two scans of one head on one scanner.
    """
    hu, brain = noise_free_ncct(scene, grid, scanner)
    add_noise(hu, scene, grid, scanner, noise_seed)
    return hu, brain
