"""Features of maps for a Frechet distance: a small random convolutional network, the same everywhere.

Nothing is downloaded, and nothing was trained: a distance between its features tells distributions of texture and
extent apart, but is comparable with no other extractor's FID.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from monai.metrics import FIDMetric
from torch import nn

#: Names the extractor wherever a distance is given: another seed or width is another extractor.
EXTRACTOR = "random convolutional network, seed 0, 16 features"
FEATURES, SEED = 16, 0
#: Patients for each feature from which a covariance, and so a distance, means something [d].
PATIENTS_PER_FEATURE = 2


@lru_cache(maxsize=1)
def _network() -> nn.Module:
    """Three strided convolutions, weights of He's normal from one fixed seed."""
    generator = torch.Generator().manual_seed(SEED)
    layers: list[nn.Module] = [nn.AvgPool2d(2)]
    for channels, more in ((1, 8), (8, 16), (16, FEATURES)):
        convolution = nn.Conv2d(channels, more, 3, stride=2, padding=1, bias=False)
        nn.init.kaiming_normal_(convolution.weight, generator=generator)
        layers += [convolution, nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval().requires_grad_(False)


@torch.inference_mode()
def features_of(array: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Features of one patient's map ``(x, y, slabs)`` in its unit: the mean over slabs, ``(FEATURES,)``."""
    low, high = value_range
    scaled = np.ascontiguousarray((array.transpose(2, 0, 1)[:, None] - low) / (high - low), dtype=np.float32)
    return _network()(torch.from_numpy(scaled)).mean(dim=0).numpy()


def frechet_distance(true: Sequence[Sequence[float]], made: Sequence[Sequence[float]]) -> float | None:
    """FID of patients' features ``(patients, FEATURES)``; None of fewer than `PATIENTS_PER_FEATURE` each."""
    if len(true) < PATIENTS_PER_FEATURE * FEATURES:
        return None
    one, other = (torch.tensor(features, dtype=torch.float64) for features in (made, true))
    return float(FIDMetric()(one, other))
