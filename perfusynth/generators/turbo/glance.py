"""The context network's own answer to a whole head, seen as it is and mirrored."""

import numpy as np
import torch
from torch.nn import functional

from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.generators.turbo.context import Context, ContextNetwork
from perfusynth.generators.turbo.images import rectangle_around, to_units

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
    return _fine((upright.logits[:, :1].sigmoid() + mirrored.logits[:, :1].sigmoid().flip(2)) / 2, shrink)[..., 0]


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
    maps = np.full((ncct.shape[2], len(spec.maps), *ncct.shape[:2]), -1, dtype=np.float32)
    coarse = (upright.maps.float() + mirrored.maps.float().flip(2)) / 2
    maps[:, :, *where] = np.moveaxis(_fine(coarse, shrink), (0, 1, 2, 3), (2, 3, 0, 1))
    made = dict(zip((output.name for output in spec.maps), to_units(maps, spec), strict=True))
    if spec.probability is not None:
        made[spec.probability.name] = np.zeros(ncct.shape, dtype=np.float32)
        made[spec.probability.name][where] = probability_of(upright, mirrored, shrink)
    return made


def _fine(coarse: torch.Tensor, shrink: int) -> np.ndarray:
    """``(slabs, channels, x, y)`` of the context's grid as ``(x, y, slabs, channels)`` of the images'."""
    fine = functional.interpolate(coarse.float(), scale_factor=shrink, mode="bilinear")
    return fine.permute(2, 3, 0, 1).cpu().numpy()
