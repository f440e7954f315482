"""A painted head with a known bolus, and small perfusion series of digital patients with their truth."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pytest

from perfusynth.phantom.ctp.frames import render_series
from perfusynth.phantom.ctp.kinetics import Bolus, bolus_of
from perfusynth.phantom.ctp.protocols import PROTOCOLS, native_ctp_grid
from perfusynth.phantom.ctp.vessels import VesselCurves, vessel_curves
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.series import Series

SHAPE, SPACING, ORIGIN = (60, 72, 7), (2.0, 2.0, 5.0), (-59.0, -71.0, 10.0)
#: Voxels of the painted head's vessels.
ARTERY, VEIN = (slice(20, 23), slice(40, 43), slice(2, 5)), (slice(28, 32), slice(10, 14), slice(1, 6))


def gamma_bolus(time_s: np.ndarray, start_s: float, peak_hu: float = 300.0) -> np.ndarray:
    """A first pass with a peak 6.5 s after its start."""
    x = np.clip((time_s - start_s) / 6.5, 0, None)
    return peak_hu * x**3 * np.exp(3 * (1 - x))


@dataclass(frozen=True, eq=False)
class PaintedHead:
    """A cylinder of tissue in a ring of bone, with an artery, a vein 7 s later, and noise."""

    series: Series
    brain: np.ndarray
    artery_hu: np.ndarray
    vein_hu: np.ndarray
    tissue_hu: np.ndarray


def painted_head(
    start_s: float = 10.0, peak_hu: float = 300.0, duration_s: float = 60.0, first_s: float = 0.0, noise_hu: float = 3.0
) -> PaintedHead:
    """A bolus that reaches the head ``start_s`` after the injection, imaged from ``first_s`` on, every second."""
    time = np.arange(first_s, duration_s, 1.0)
    artery, vein = gamma_bolus(time, start_s, peak_hu), gamma_bolus(time, start_s + 7, peak_hu)
    tissue = 0.04 * gamma_bolus(time, start_s + 3, peak_hu)
    x, y = ((np.arange(n) - (n - 1) / 2) * s for n, s in zip(SHAPE[:2], SPACING[:2], strict=True))
    radius = np.hypot(x[:, None] / 50, y[None] / 62)
    frames = np.full((*SHAPE, len(time)), -1000.0, dtype=np.float32)
    brain = np.zeros(SHAPE, dtype=bool)
    brain[radius < 1] = True
    frames[radius < 1.12] = 900
    frames[brain] = 35 + tissue
    frames[ARTERY] = 45 + artery
    frames[VEIN] = 45 + vein
    frames += noise_hu * np.random.default_rng(5).standard_normal(frames.shape, dtype=np.float32)
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = ORIGIN
    return PaintedHead(Series(np.rint(frames).astype(np.int16), affine, time - first_s), brain, artery, vein, tissue)


@dataclass(frozen=True, eq=False)
class DigitalStudy:
    """A patient's series with the brain found in it and the truth behind it."""

    patient: Patient
    series: Series
    brain: np.ndarray
    bolus: Bolus
    vessels: VesselCurves

    def share(self, kind: str) -> np.ndarray:
        """Share of each voxel that is an ``open`` artery, one ``behind`` the clot, or ``venous``."""
        share = np.zeros(self.series.shape)
        share.ravel()[self.vessels.at] = getattr(self.vessels, kind)
        return share


@lru_cache(maxsize=8)
def digital_study(seed: int, protocol: str, duration_s: float = 60.0) -> DigitalStudy:
    """A small series: 1.8 mm pixels, 80 mm of coverage, a head that lies still."""
    small = replace(
        PROTOCOLS[protocol], matrix=128, pixel_mm=1.8, coverage_mm=80.0, duration_s=duration_s, motion="off"
    )
    scene = scene_of(draw_patient(seed))
    found = render_series(scene, small, noise_seed=seed)
    series = Series(found.hu, found.affine, found.times_s)
    bolus = bolus_of(scene.patient.circulation, duration_s)
    vessels = vessel_curves(scene, native_ctp_grid(scene.patient, small), bolus)
    return DigitalStudy(scene.patient, series, BuiltinBrain().extract(series.mean(slice(0, 3))).mask, bolus, vessels)


@pytest.fixture
def paint():
    return painted_head


@pytest.fixture
def study():
    return digital_study
