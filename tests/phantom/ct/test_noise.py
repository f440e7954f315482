"""Noise: native SD and correlation, and on the model grid what averaging the native noise leaves."""

import numpy as np
import pytest

from perfusynth.phantom.ct.noise import noise_field, slice_offsets
from perfusynth.phantom.ct.scanners import SCANNERS, Scanner
from perfusynth.volumes.resampling import apply_axis_weights, axis_weights

STANDARD = SCANNERS["standard_5mm"]


def native(scanner: Scanner, rng: np.random.Generator, slices: int) -> np.ndarray:
    spacing = np.array([scanner.pixel_mm, scanner.pixel_mm, scanner.spacing_mm])
    return noise_field(rng, scanner, (256, 256, slices), spacing, scanner.slice_mm)


def lag(field: np.ndarray, by: int, axis: int) -> float:
    a = np.moveaxis(field, axis, 0)
    return float((a[by:] * a[:-by]).mean() / a.var())


@pytest.mark.parametrize("axis", [0, 1])
def test_a_5_mm_slice_has_the_measured_sd_and_autocorrelation(rng: np.random.Generator, axis: int):
    field = native(STANDARD, rng, 8)
    assert field.std() == pytest.approx(3.7, abs=0.2)
    assert lag(field, 1, axis) == pytest.approx(0.6, abs=0.05)
    assert lag(field, 2, axis) == pytest.approx(0.1, abs=0.05)
    assert lag(field, 1, 2) == pytest.approx(0.0, abs=0.03)


def test_a_1_mm_slice_is_noisier_by_the_root_of_its_thickness(rng: np.random.Generator):
    assert native(SCANNERS["thin_1mm"], rng, 10).std() == pytest.approx(8.0, abs=0.6)


@pytest.mark.parametrize("name", [s.name for s in SCANNERS.values() if s.name != "standard_5mm" and not s.tilt_deg])
def test_model_grid_noise_is_what_averaging_native_noise_gives(rng: np.random.Generator, name: str):
    scanner = SCANNERS[name]
    step, spacing, target = (
        np.array([1.2, 1.2, 5.0]),
        (scanner.pixel_mm, scanner.pixel_mm, scanner.spacing_mm),
        (60, 60, 6),
    )
    direct, averaged = [], []
    for start in np.linspace(5.0, 10.0, 8, endpoint=False):  # slabs lie anywhere between slices
        direct.append(noise_field(rng, scanner, (100, 100, 6), step, 5.0))
        field = native(scanner, rng, int(np.ceil(45 / scanner.spacing_mm)))[:190, :190]
        weights = tuple(axis_weights(field.shape[a], spacing[a], 0.0, target[a], step[a], start) for a in range(3))
        averaged.append(apply_axis_weights(field, weights))  # type: ignore[arg-type]
    assert np.std(direct) == pytest.approx(np.std(averaged), rel=0.07)
    for axis, tolerance in ((0, 0.05), (1, 0.05), (2, 0.08)):
        found, expected = (np.mean([lag(f, 1, axis) for f in fields]) for fields in (direct, averaged))
        assert found == pytest.approx(expected, abs=tolerance)


def test_a_scan_whose_slices_are_the_slabs_is_averaged_in_plane_only(rng: np.random.Generator):
    direct = noise_field(rng, STANDARD, (192, 192, 12), np.array([1.2, 1.2, 5.0]), 5.0)
    field = native(STANDARD, rng, 8)
    weights = (
        *(axis_weights(256, STANDARD.pixel_mm, 0.0, 90, 1.2, 5.3) for _ in range(2)),
        np.eye(8, dtype=np.float32),
    )
    assert direct.std() == pytest.approx(apply_axis_weights(field, weights).std(), rel=0.06)


def test_slice_offsets_have_the_measured_sd(rng: np.random.Generator):
    offsets = slice_offsets(rng, STANDARD, np.arange(2000) * 5.0)
    assert offsets.std() == pytest.approx(0.65, abs=0.05)
