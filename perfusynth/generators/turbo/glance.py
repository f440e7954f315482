"""The context network's own answer to a whole head, seen as it is and mirrored."""

import numpy as np
import torch
from torch.nn import functional

from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.generators.head_images import rectangle_around, whole_maps
from perfusynth.generators.turbo.context import Context, ContextNetwork

#: The part of a head that passes, in plane.
Rectangle = tuple[slice, slice]


def look(
    network: ContextNetwork, ncct: np.ndarray, brain: np.ndarray, where: Rectangle, device: torch.device
) -> Context:
    """The context of all slabs of a head on the model grid: ``ncct`` in HU, ``brain`` bool, ``(x, y, slabs)``."""
    parts = (np.ascontiguousarray(part[where], dtype=np.float32) for part in (ncct, brain))
    return network(*(torch.from_numpy(part)[None, None].to(device) for part in parts))


def probability_of(upright: Context, mirrored: Context, shrink: int) -> np.ndarray:
    """The mean of both answers' probabilities of hypoperfusion, float32 ``(x, y, slabs)`` at the images' resolution."""
    both = (upright.logits[:, :1].sigmoid() + mirrored.logits[:, :1].sigmoid().flip(2)) / 2
    return np.moveaxis(_fine(both, shrink)[:, 0], 0, -1)


@torch.inference_mode()
def glance(
    network: ContextNetwork, ncct: np.ndarray, brain: np.ndarray, spec: GeneratorSpec, device: torch.device
) -> dict[str, np.ndarray]:
    """Coarse maps and probability of a head, without the slab network.

    Parameters
    ----------
    network
        In evaluation mode on ``device``.
    ncct
        HU, shape ``(x, y, slabs)`` on the model grid, in nearest-RAS order.
    brain
        bool, same shape; not empty.

    Returns
    -------
    float32 arrays ``(x, y, slabs)`` by output name, in units; outside the rectangle around the brain each range's
    lower end.
    """
    where, shrink = rectangle_around(brain | brain[::-1], network.config.shrink), network.config.shrink
    upright, mirrored = (look(network, *head, where, device) for head in ((ncct, brain), (ncct[::-1], brain[::-1])))
    coarse = (upright.maps.float() + mirrored.maps.float().flip(2)) / 2
    return whole_maps(_fine(coarse, shrink), where, ncct.shape, spec, probability_of(upright, mirrored, shrink))


def _fine(coarse: torch.Tensor, shrink: int) -> np.ndarray:
    """``(slabs, channels, x, y)`` of the context's grid at the images' resolution."""
    return functional.interpolate(coarse.float(), scale_factor=shrink, mode="bilinear").cpu().numpy()
