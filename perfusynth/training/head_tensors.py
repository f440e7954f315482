"""What is wanted of a head, as tensors, and heads of different height in one batch: alike in all families."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.generators.head_images import from_units
from perfusynth.perfusion.regions import RegionSettings
from perfusynth.training.heads import Head
from perfusynth.training.task import Tensors

#: Tmax above which tissue counts as hypoperfused, s: the one that the regions are measured with.
DEFICIT_TMAX_S = RegionSettings().hypoperfusion_s


def middle(shape: Sequence[int], crop: tuple[int, int]) -> tuple[slice, slice]:
    """The rectangle of ``crop`` voxels in the middle of x and y."""
    x, y = (slice((n - side) // 2, (n + side) // 2) for n, side in zip(shape, crop, strict=False))
    return x, y


def wanted_of(head: Head, spec: GeneratorSpec) -> Tensors:
    """What is wanted of a head, all ``(channels, x, y, slabs)``.

    ``maps`` in [-1, 1], where the generator makes any; ``counts`` (where maps are asked for) and ``deficit`` (Tmax
    above `DEFICIT_TMAX_S`), 0 or 1.
    """
    tensors = {
        "counts": torch.from_numpy((head.brain & head.valid)[None].astype(np.float32)),
        "deficit": torch.from_numpy((head.volumes["tmax"] > DEFICIT_TMAX_S)[None].astype(np.float32)),
    }
    if spec.maps:
        maps = np.stack([head.volumes[output.name] for output in spec.maps])
        tensors["maps"] = torch.from_numpy(np.ascontiguousarray(np.moveaxis(from_units(maps, spec), 0, -1)))
    return tensors


def stacked(examples: Sequence[Tensors]) -> Tensors:
    """A batch ``(heads, ...)``; whole heads of fewer slabs are filled up with empty ones."""
    return {name: torch.stack(_as_tall([example[name] for example in examples])) for name in examples[0]}


def _as_tall(tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    tallest = max(tensor.shape[-1] for tensor in tensors)
    return [functional.pad(tensor, (0, tallest - tensor.shape[-1])) for tensor in tensors]
