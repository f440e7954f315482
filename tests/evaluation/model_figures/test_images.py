"""Image metrics against MONAI's own, and over the brain alone."""

import numpy as np
import pytest
import torch
from monai.metrics import MultiScaleSSIMMetric, PSNRMetric, SSIMMetric
from monai.metrics.regression import compute_ssim_and_cs

from perfusynth.evaluation.model_figures.images import image_figures

RANGE = (0.0, 16.0)


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x, y, _ = np.indices((176, 184, 2))
    brain = ((x - 80) / 55) ** 2 + ((y - 92) / 70) ** 2 < 1
    true = (5 + 3 * np.sin(x / 9) * np.cos(y / 11) + rng.normal(0, 0.5, x.shape)) * brain
    made = (true + rng.normal(0.4, 1.2, x.shape)) * brain
    return true.astype(np.float32), made.astype(np.float32), brain


def _images(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)[:, None]))


def test_over_the_whole_image_they_are_monais(pair):
    true, made, brain = pair
    found = image_figures(true, made, brain, RANGE)
    one, other = _images(made), _images(true)
    assert found["ssim"] == pytest.approx(float(SSIMMetric(2, data_range=16.0)(one, other).mean()), abs=1e-4)
    several = MultiScaleSSIMMetric(2, data_range=16.0)(one, other)
    assert found["ms_ssim"] == pytest.approx(float(several.mean()), abs=1e-4)
    whole = PSNRMetric(max_val=16.0)(one.reshape(1, 1, -1), other.reshape(1, 1, -1))
    assert found["psnr"] == pytest.approx(float(whole), abs=1e-3)


def test_over_the_brain_only_its_voxels_count(pair):
    true, made, brain = pair
    found = image_figures(true, made, brain, RANGE)
    ssim, _ = compute_ssim_and_cs(
        _images(made), _images(true), spatial_dims=2, kernel_size=(11, 11), kernel_sigma=(1.5, 1.5), data_range=16.0
    )
    within = _images(brain)[..., 5:-5, 5:-5]
    assert found["ssim_brain"] == pytest.approx(float(ssim[within].mean()), abs=1e-4)
    squared = np.mean((true[brain] - made[brain]) ** 2)
    assert found["psnr_brain"] == pytest.approx(10 * np.log10(16**2 / squared), abs=1e-3)
    assert found["ms_ssim_brain"] < found["ms_ssim"]


def test_a_perfect_map_has_the_best_figures_everywhere(pair):
    true, _, brain = pair
    found = image_figures(true, true, brain, RANGE)
    assert found["psnr"] == found["psnr_brain"] == pytest.approx(100)
    for name in ("ssim", "ssim_brain", "ms_ssim", "ms_ssim_brain"):
        assert found[name] == pytest.approx(1, abs=1e-4)
