"""The whole head at a glance: a coarse 3-D network that tells every slab what the other slabs show.

A clot lies several slabs below the tissue that it starves, and a side is pale only beside the other side. The slab
network sees three slabs; this one sees the head, at some 5 mm, and hands each slab features and a first coarse answer.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn
from torch.nn import functional

#: Groups of the group normalisation.
NORM_GROUPS = 8
#: Slabs are filled up with empty ones to a multiple of this: 160 mm, most heads [d].
FILLED_TO = 32
#: Channels that say where a voxel lies: three coordinates and the share of brain.
PLACE_CHANNELS = 4
#: HU of brain tissue, fluid and vessels left out [d]; the mean of grey and white matter, and what counts as much [d]:
#: early ischaemia is 1 to 4 HU, and a network that is given the whole window at once learns to see that late.
TISSUE_HU, TISSUE_MEAN_HU, TISSUE_SPREAD_HU = (15.0, 50.0), 32.0, 4.0
#: Range of HU that the densest spot is sought in: neither air nor bone.
DENSITIES_HU = (-20.0, 100.0)
#: HU of what is densest in a coarse voxel, after a mean over 3x3 voxels: blood, and how far a clot is from it [d].
DENSE_MEAN_HU, DENSE_SPREAD_HU = 42.0, 10.0
#: Largest value of these figures in their spreads: a calcification or a bleeding is not to drown the rest.
SPREADS_MAX = 3.0
#: Least share of tissue in a coarse voxel that has a mean.
TISSUE_SHARE_MIN = 0.02
#: Channels of `ContextNetwork._densities`.
DENSITY_CHANNELS = 5


class ContextConfig(BaseModel):
    """Everything that decides the context network's shape.

    ``windows`` are the HU windows in which its first layers see the head (tissue; a dense artery); ``stem_channels``
    the channels of those layers, each of which halves the resolution in plane; ``channels`` those of its 3-D levels,
    the first half as fine in plane as the last layer of the stem, each other one half as fine as the one before.
    """

    model_config = ConfigDict(extra="forbid")

    windows: list[tuple[float, float]] = Field(min_length=1)
    stem_channels: list[int] = Field([16, 32], min_length=1)
    channels: list[int] = Field(min_length=2)

    @property
    def shrink(self) -> int:
        """Voxels of the images, in plane, to one of the context's."""
        return 2 ** (len(self.stem_channels) + 1)


class Context(NamedTuple):
    """What is known of slabs before they are looked at closely, on the context's grid (`ContextConfig.shrink`).

    ``features`` ``(slabs, channels, x, y)``; ``maps`` ``(slabs, maps, x, y)``, a coarse answer in the network's scale;
    ``logits`` ``(slabs, 2, x, y)`` of the probabilities that the tissue is hypoperfused and that it is core.
    """

    features: torch.Tensor
    maps: torch.Tensor
    logits: torch.Tensor

    def of(self, slabs: torch.Tensor | slice) -> "Context":
        """That of some slabs."""
        return Context(*(part[slabs] for part in self))


class ContextNetwork(nn.Module):
    """Whole heads in, a `Context` of all their slabs out.

    Parameters
    ----------
    config
        Shapes; see `ContextConfig`.
    maps
        Number of maps.
    """

    def __init__(self, config: ContextConfig, maps: int):
        super().__init__()
        self.config = config
        first, *deeper = config.channels
        layers: list[nn.Module] = []
        channels = [len(config.windows) + 1, *config.stem_channels, first]
        for stage, (above, below) in enumerate(pairwise(channels)):
            size = 3 if stage else 5
            layers += [nn.Conv2d(above, below, size, stride=2, padding=size // 2), nn.GroupNorm(NORM_GROUPS, below)]
            layers.append(nn.SiLU())
        self.stem = nn.Sequential(*layers)
        self.down = nn.ModuleList([_block(2 * first + PLACE_CHANNELS + DENSITY_CHANNELS, first)])
        self.up = nn.ModuleList()
        for above, below in zip(config.channels, [*deeper, deeper[-1]], strict=True):
            self.down.append(_block(above, below))
            self.up.insert(0, _block(below + above, above))
        self.out = nn.Conv3d(first, maps + 2, 1)

    def forward(self, heads: torch.Tensor, brain: torch.Tensor) -> Context:
        """Look at heads.

        Parameters
        ----------
        heads
            ``(heads, 1, x, y, slabs)``, HU; x and y divisible by `ContextConfig.shrink`, the brain in the middle of x.
        brain
            ``(heads, 1, x, y, slabs)``, 1 inside.

        Returns
        -------
        Context
            Of the slabs of all heads, one head after the other.
        """
        count, slabs = heads.shape[0], heads.shape[-1]
        # Heads are looked at with the same number of empty slabs, whatever batch they are in.
        heads, brain = (functional.pad(part, (0, -slabs % FILLED_TO)) for part in (heads, brain))
        windows = [((heads - low) / (high - low)).clamp(0, 1) * 2 - 1 for low, high in self.config.windows]
        seen = torch.cat([*(window * brain for window in windows), brain], 1).permute(0, 4, 1, 2, 3).flatten(0, 1)
        found = self.stem(seen).unflatten(0, (count, -1)).permute(0, 2, 3, 4, 1)
        # Beside each place its mirror image: the sides are compared wherever they differ.
        level = torch.cat([found, found.flip(2), self._places(brain), self._densities(heads, brain)], 1)
        levels: list[torch.Tensor] = []
        for block in self.down:
            if levels:
                level = functional.max_pool3d(level, 2, ceil_mode=True)
            level = block(level)
            levels.append(level)
        levels.pop()
        for block in self.up:
            finer = levels.pop()
            level = functional.interpolate(level, size=finer.shape[2:], mode="trilinear")
            level = block(torch.cat([level, finer], 1))
        features, answer = (part[..., :slabs].permute(0, 4, 1, 2, 3).flatten(0, 1) for part in (level, self.out(level)))
        return Context(features, answer[:, :-2], answer[:, -2:])

    def _densities(self, heads: torch.Tensor, brain: torch.Tensor) -> torch.Tensor:
        """How dense the tissue and the densest spot of each coarse voxel are, both also beside the mirrored place.

        In spreads about their means; with the share of tissue in the brain of the voxel.
        """
        shrink = (self.config.shrink, self.config.shrink, 1)
        tissue = ((heads > TISSUE_HU[0]) & (heads < TISSUE_HU[1])).to(brain.dtype) * brain
        share = functional.avg_pool3d(tissue, shrink)
        known = share > TISSUE_SHARE_MIN
        mean = functional.avg_pool3d(heads * tissue, shrink) / share.clamp(min=TISSUE_SHARE_MIN)
        smooth = functional.avg_pool3d(heads.clamp(*DENSITIES_HU) * brain, (3, 3, 1), stride=1, padding=(1, 1, 0))
        densest = functional.max_pool3d(smooth * brain, shrink)
        mean = _in_spreads(mean, TISSUE_MEAN_HU, TISSUE_SPREAD_HU) * known
        densest = _in_spreads(densest, DENSE_MEAN_HU, DENSE_SPREAD_HU)
        both = known & known.flip(2)
        beside = [(part - part.flip(2)) * both for part in (mean, densest)]
        of_brain = share / functional.avg_pool3d(brain, shrink).clamp(min=TISSUE_SHARE_MIN)
        return torch.cat([mean, densest, *beside, of_brain], 1)

    def _places(self, brain: torch.Tensor) -> torch.Tensor:
        """Where each coarse voxel lies from the brain's centre, in spreads of the brain, and its share of brain."""
        share = functional.avg_pool3d(brain, (self.config.shrink, self.config.shrink, 1))
        total = share.sum((2, 3, 4), keepdim=True).clamp(min=1)
        axes = [torch.arange(n, device=brain.device, dtype=share.dtype) for n in share.shape[2:]]
        places = []
        for along in torch.meshgrid(*axes, indexing="ij"):
            apart = along - (share * along).sum((2, 3, 4), keepdim=True) / total
            spread = ((share * apart**2).sum((2, 3, 4), keepdim=True) / total).clamp(min=1).sqrt()
            places.append(apart / spread)
        return torch.cat([*places, share], 1)


def _in_spreads(values: torch.Tensor, mean: float, spread: float) -> torch.Tensor:
    return ((values - mean) / spread).clamp(-SPREADS_MAX, SPREADS_MAX)


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (channels_in, channels_out):
        layers += [
            nn.Conv3d(channels, channels_out, 3, padding=1, bias=False),
            nn.GroupNorm(NORM_GROUPS, channels_out),
            nn.SiLU(),
        ]
    return nn.Sequential(*layers)
