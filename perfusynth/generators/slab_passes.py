"""All slabs of a head through a network, as they are and mirrored."""

from collections.abc import Callable, Sequence

import torch

from perfusynth.progress import OnProgress, ignore_progress

#: Slabs in one forward pass: a CPU gains nothing beyond its caches, a GPU takes a whole head at once.
BATCH_SLABS = {"cpu": 4, "cuda": 64}


@torch.inference_mode()
def pass_both_ways(
    network: Callable[..., torch.Tensor],
    upright: Sequence[torch.Tensor],
    mirrored: Sequence[torch.Tensor],
    device: torch.device,
    on_progress: OnProgress = ignore_progress,
) -> torch.Tensor:
    """The mean of the network's answers to a head and to its mirror image.

    So no side is preferred by construction, and a head stored or held the other way round gives the same maps the
    other way round.

    Parameters
    ----------
    network
        ``(slabs, channels, x, y)``, and whatever else it is given of each slab, to ``(slabs, maps, x, y)``.
    upright, mirrored
        What the network is given of the head, each ``(slabs, channels, x, y)``, and of its mirror image, whose x runs
        the other way.
    device
        Where the network is.
    on_progress
        Told the stage ``generate``; may raise `Cancelled`.

    Returns
    -------
    float32 tensor ``(slabs, maps, x, y)`` on the CPU.
    """
    batch = BATCH_SLABS[device.type]
    done: list[torch.Tensor] = []
    slabs = len(upright[0])
    for first in range(0, slabs, batch):
        on_progress("generate", first / slabs)
        one, other = (
            network(*(part[first : first + batch].to(device) for part in head)).float() for head in (upright, mirrored)
        )
        done.append(((one + other.flip(2)) / 2).cpu())
    on_progress("generate", 1.0)
    return torch.cat(done)
