"""The context network's own answer, without the slab network: coarse maps of a whole head."""

import numpy as np
import torch
from torch.nn import functional

from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.generators.turbo.context import ContextNetwork
from perfusynth.generators.turbo.images import rectangle_around, to_units


@torch.inference_mode()
def glance(
    network: ContextNetwork, ncct: np.ndarray, brain: np.ndarray, spec: GeneratorSpec, device: torch.device
) -> dict[str, np.ndarray]:
    """Coarse maps and probability of a head, brought to the model grid; the head is seen as it is and mirrored.

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
    columns, rows = rectangle_around(brain | brain[::-1], network.config.shrink)
    answers = []
    for hu, inside in ((ncct, brain), (ncct[::-1], brain[::-1])):
        parts = (np.ascontiguousarray(part[columns, rows], dtype=np.float32) for part in (hu, inside))
        seen = network(*(torch.from_numpy(part)[None, None].to(device) for part in parts))
        answers.append(torch.cat([seen.maps, seen.logits[:, :1].sigmoid()], 1).float())
    both = (answers[0] + answers[1].flip(2)) / 2
    fine = functional.interpolate(both, scale_factor=network.config.shrink, mode="bilinear").cpu().numpy()
    maps = np.full((ncct.shape[2], len(spec.maps), *ncct.shape[:2]), -1, dtype=np.float32)
    maps[:, :, columns, rows] = fine[:, :-1]
    made = dict(zip((output.name for output in spec.maps), to_units(maps, spec), strict=True))
    if spec.probability is not None:
        made[spec.probability.name] = np.zeros(ncct.shape, dtype=np.float32)
        made[spec.probability.name][columns, rows] = np.moveaxis(fine[:, -1], 0, -1)
    return made
