"""An autoencoder of a bundle's size trained to give maps back, without the skips and the UNet of the whole network.

The compact network is trained as a whole, from the NCCT on, and never asked to give maps back; its skips go around the
latent. This autoencoder is the same architecture with maps in place of images: how much its latent can hold at all.
"""

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save

from perfusynth import atomic
from perfusynth.evaluation.map_round_trip.carriers import shrink_of
from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.generators.head_images import from_units, rectangle_around
from perfusynth.phantom.drawn import CaseOfSeed

#: AdamW's peak learning rate, slabs in a step, slabs that are taken of each patient before the next [d].
LEARNING_RATE, BATCH_SLABS, SLABS_PER_PATIENT = 1e-3, 8, 8
#: The rate falls to this share of its peak over the time that is given.
LAST_SHARE = 0.02


def autoencoder_of(spec: GeneratorSpec) -> Any:
    """The bundle's autoencoder (diffusers' `AutoencoderKL`) with maps in and maps out, its weights random."""
    count = len(spec.maps)
    return AutoencoderKL(**spec.network["autoencoder"] | {"in_channels": count, "out_channels": count})


def trained_autoencoder(
    spec: GeneratorSpec,
    seeds: range,
    case_of: CaseOfSeed,
    minutes: float,
    kept: Path,
    on_progress: Callable[[float, int, float], None] = lambda share, steps, error: None,
) -> Any:
    """Train for so long on the maps of digital patients, or read what an earlier run kept.

    Parameters
    ----------
    seeds
        Patients of training, in a circle.
    kept
        File of the weights.
    on_progress
        Told the share of the time, the steps, and the mean absolute error of the step in the network's scale.
    """
    torch.manual_seed(0)
    autoencoder = autoencoder_of(spec)
    if kept.exists():
        autoencoder.load_state_dict(load_file(kept))
        return autoencoder.eval().requires_grad_(False)
    optimiser = torch.optim.AdamW(autoencoder.parameters(), LEARNING_RATE)
    rng, started, steps = np.random.default_rng(0), monotonic(), 0
    while (share := (monotonic() - started) / (60 * minutes)) < 1:
        maps, brain = _slabs(spec, case_of(seeds[steps % len(seeds)]).volumes, shrink_of(autoencoder), rng)
        for group in optimiser.param_groups:
            group["lr"] = LEARNING_RATE * (LAST_SHARE + (1 - LAST_SHARE) * (1 + np.cos(np.pi * share)) / 2)
        made = autoencoder.decode(autoencoder.encode(maps).latent_dist.mode()).sample
        error = ((made - maps).abs() * brain).sum() / (brain.sum() * len(spec.maps)).clamp(min=1)
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        steps += 1
        on_progress(share, steps, float(error.detach()))
    atomic.write_bytes(kept, save(autoencoder.state_dict()))
    return autoencoder.eval().requires_grad_(False)


def _slabs(
    spec: GeneratorSpec, volumes: dict[str, np.ndarray], shrink: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Some slabs of a patient's maps in the network's scale, and their brain ``(slabs, 1, x, y)``."""
    brain = volumes["brain"] > 0
    columns, rows = rectangle_around(brain, shrink)
    maps = from_units(np.stack([volumes[output.name] for output in spec.maps]), spec)[:, :, columns, rows]
    chosen = rng.choice(len(maps), min(SLABS_PER_PATIENT, len(maps)), replace=False)[:BATCH_SLABS]
    inside = np.moveaxis(brain[columns, rows], -1, 0)[chosen, None].astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(maps[chosen])), torch.from_numpy(inside)
