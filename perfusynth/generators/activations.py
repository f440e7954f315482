"""What a network's innermost layer makes of a head, overheard during the passes that are made anyway."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

#: Features that are kept of a head at most: neighbouring channels of a wider network are averaged, so that a
#: covariance of them can be estimated from a thousand heads [d].
FEATURES_MAXIMUM = 128


class Activations:
    """Sums up what a layer puts out while a head passes through a network, slab by slab, mirrored or not."""

    def __init__(self) -> None:
        self._sum: torch.Tensor | None = None
        self._images = 0

    def hear(self, output: torch.Tensor) -> None:
        """Take in one batch, ``(images, channels, x, y)``."""
        means = output.float().mean(dim=(2, 3)).sum(dim=0)
        self._sum = means if self._sum is None else self._sum + means
        self._images += len(output)

    def features(self) -> np.ndarray:
        """Mean over images and places by channel, float64, at most `FEATURES_MAXIMUM` numbers; empty if none came."""
        if self._sum is None:
            return np.empty(0)
        means = (self._sum / self._images).double().cpu().numpy()
        return np.array([part.mean() for part in np.array_split(means, min(len(means), FEATURES_MAXIMUM))])


@contextmanager
def heard(layer: nn.Module | None) -> Iterator[Activations]:
    """Yield the `Activations` of a layer during the block; the forward passes are those that are made anyway.

    Without a layer nothing is heard.
    """
    activations = Activations()
    if layer is None:
        yield activations
        return
    hook = layer.register_forward_hook(lambda _module, _inputs, output: activations.hear(output))
    try:
        yield activations
    finally:
        hook.remove()
