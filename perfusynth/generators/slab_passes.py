"""All slabs of a head through a network, as they are and mirrored."""

from collections.abc import Callable, Sequence

import torch

from perfusynth.generators.execution import Execution
from perfusynth.progress import OnProgress, ignore_progress


@torch.inference_mode()
def pass_both_ways(
    network: Callable[..., torch.Tensor],
    upright: Sequence[torch.Tensor],
    mirrored: Sequence[torch.Tensor],
    execution: Execution,
    on_progress: OnProgress = ignore_progress,
) -> torch.Tensor:
    """The mean of the network's answers to a head and to its mirror image.

    So no side is preferred by construction, and a head stored or held the other way round gives the same maps the
    other way round. Both pass in one batch. A batch that the GPU's memory does not hold is halved and tried again.

    Parameters
    ----------
    network
        ``(slabs, channels, x, y)``, and whatever else it is given of each slab, to ``(slabs, maps, x, y)``.
    upright, mirrored
        What the network is given of the head, each ``(slabs, channels, x, y)``, and of its mirror image, whose x runs
        the other way.
    execution
        Where the network is, and how many slabs pass at a time.
    on_progress
        Told the stage ``generate``; may raise `Cancelled`.

    Returns
    -------
    float32 tensor ``(slabs, maps, x, y)`` on the CPU.

    Raises
    ------
    InputError
        Code ``out_of_memory``: not even one slab passes.
    """
    done: list[torch.Tensor] = []
    first, slabs = 0, len(upright[0])
    while first < slabs:
        on_progress("generate", first / slabs)
        chosen = slice(first, first + execution.batch_slabs)
        pairs = [(one[chosen], other[chosen]) for one, other in zip(upright, mirrored, strict=True)]
        made = _mean_of_both(network, pairs, execution)
        if made is None:
            execution.out_of_memory(len(pairs[0][0]))
            continue
        done.append(made)
        first += len(made)
    on_progress("generate", 1.0)
    return torch.cat(done)


def _mean_of_both(
    network: Callable[..., torch.Tensor], pairs: Sequence[tuple[torch.Tensor, torch.Tensor]], execution: Execution
) -> torch.Tensor | None:
    """The mean answer to some slabs, None where memory does not hold them (and nothing holds on to any of it)."""
    try:
        with execution.numerics():
            one, other = network(*(_on(torch.cat(pair), execution.device) for pair in pairs)).float().chunk(2)
            return ((one + other.flip(2)) / 2).cpu()
    except torch.OutOfMemoryError:
        return None


def _on(images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """On the device, channels innermost, which is how convolutions read fastest; volumes stay as they are."""
    return images.to(device, memory_format=torch.channels_last if images.dim() == 4 else torch.preserve_format)
