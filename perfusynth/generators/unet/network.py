"""A plain UNet over slabs or over the whole head, of MONAI's blocks of nnU-Net's network.

Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation", Nature
Methods 18, 203-211 (2021). Group instead of instance normalisation: statistics of one channel in one slab would take
away how dense that slab is as a whole. (MONAI's `DynUNet` puts the same blocks together, but holds each weight under
two names, which safetensors do not store.)
"""

import itertools
from collections.abc import Callable
from typing import Literal

import torch
from monai.networks.blocks.dynunet_block import UnetBasicBlock, UnetOutBlock, UnetUpBlock
from pydantic import BaseModel, ConfigDict, Field
from torch import nn
from torch.nn import functional

#: Size of every convolution's kernel, voxels along each axis.
KERNEL = 3


class UNetConfig(BaseModel):
    """Everything that decides the network's shape.

    ``spatial`` is what one pass sees: ``slabs``, each by itself in 2-D, or the ``head`` in 3-D. Squares of ``shrink`` x
    ``shrink`` voxels in plane go in, and come out, as channels of one coarse voxel: nothing is averaged away, and a
    whole head costs little. ``channels`` are those of the levels, each half as fine as the one before, and divisible by
    ``norm_groups``.
    """

    model_config = ConfigDict(extra="forbid")

    spatial: Literal["slabs", "head"]
    shrink: int = Field(1, gt=0)
    channels: list[int] = Field(min_length=2)
    norm_groups: int = Field(8, gt=0)

    @property
    def divisor(self) -> int:
        """Columns and rows of an image must be divisible by this."""
        return self.shrink * self.halvings

    @property
    def halvings(self) -> int:
        """How many voxels of the finest level are one of the coarsest, along an axis."""
        return 2 ** (len(self.channels) - 1)


class UNetNetwork(nn.Module):
    """Images in, as many values of each voxel out as there are outputs.

    Parameters
    ----------
    config
        Shapes; see `UNetConfig`.
    inputs, outputs
        Channels that go in and come out.
    """

    def __init__(self, config: UNetConfig, inputs: int, outputs: int):
        super().__init__()
        self.config = config
        folded = config.shrink**2
        self.unet = _Levels(2 if config.spatial == "slabs" else 3, inputs * folded, outputs * folded, config)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Answer to slabs ``(slabs, channels, x, y)`` or to heads ``(heads, channels, x, y, slabs)``.

        x and y are divisible by `UNetConfig.divisor`; a head may have any number of slabs. The answer has the images'
        shape, but for its channels.
        """
        if self.config.spatial == "slabs":
            return self._passed(images, self.unet)
        heads, slabs = len(images), images.shape[-1]

        def over_heads(folded: torch.Tensor) -> torch.Tensor:
            return self.unet(folded.unflatten(0, (heads, -1)).movedim(1, -1)).movedim(-1, 1).flatten(0, 1)

        images = functional.pad(images, (0, -slabs % self.config.halvings))
        made = self._passed(images.movedim(-1, 1).flatten(0, 1), over_heads)
        return made.unflatten(0, (heads, -1)).movedim(1, -1)[..., :slabs]

    def _passed(self, slabs: torch.Tensor, network: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """The network's answer to slabs ``(slabs, channels, x, y)``, whose squares of voxels it sees as channels."""
        return functional.pixel_shuffle(
            network(functional.pixel_unshuffle(slabs, self.config.shrink)), self.config.shrink
        )


class _Levels(nn.Module):
    """Down through the levels and up again, each level's features handed over at its own resolution."""

    def __init__(self, dimensions: int, inputs: int, outputs: int, config: UNetConfig):
        super().__init__()
        norm = ("group", {"num_groups": config.norm_groups})
        first = config.channels[0]
        steps = list(itertools.pairwise(config.channels))
        self.down = nn.ModuleList([UnetBasicBlock(dimensions, inputs, first, KERNEL, 1, norm)])
        self.down.extend(UnetBasicBlock(dimensions, above, below, KERNEL, 2, norm) for above, below in steps)
        self.up = nn.ModuleList(
            UnetUpBlock(dimensions, below, above, KERNEL, 1, upsample_kernel_size=2, norm_name=norm)
            for above, below in reversed(steps)
        )
        self.out = UnetOutBlock(dimensions, first, outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        levels = [self.down[0](images)]
        for block in self.down[1:]:
            levels.append(block(levels[-1]))
        made = levels.pop()
        for block in self.up:
            made = block(made, levels.pop())
        return self.out(made)
