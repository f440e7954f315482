"""From a finished run to a bundle: the moving average's weights as float16 safetensors, and what made them."""

import json
import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from perfusynth.errors import InputError
from perfusynth.generators.bundles import read_bundle
from perfusynth.phantom.version import PHANTOM_VERSION
from perfusynth.training.config import TrainingConfig

#: Prefix that torch's AveragedModel gives to the names of the averaged network.
_EMA_PREFIX = "module."


def export_bundle(checkpoint: Path, config: TrainingConfig, target: Path) -> Path:
    """Copy the run's bundle to ``target`` with the trained weights, their hash and the run's settings in it.

    Raises
    ------
    InputError
        Code ``exists``: ``target`` is there already.
    """
    check_target(target)
    fresh = target.with_name(target.name + ".part")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(config.bundle, fresh, ignore=shutil.ignore_patterns("*.safetensors"))
    (fresh / "models").mkdir(exist_ok=True)
    averaged = load_file(checkpoint / "ema.safetensors")
    weights = {
        name.removeprefix(_EMA_PREFIX): tensor.to(torch.float16).contiguous()
        for name, tensor in averaged.items()
        if name.startswith(_EMA_PREFIX)
    }
    save_file(weights, fresh / "models" / "model.safetensors")
    metadata_path = fresh / "configs" / "metadata.json"
    metadata = json.loads(metadata_path.read_text(encoding="utf-8"))
    metadata["perfusynth"]["weights_sha256"] = read_bundle(fresh).weights_sha256()
    metadata["perfusynth"]["training"] = {
        "phantom_version": PHANTOM_VERSION,
        "settings": config.model_dump(mode="json", exclude={"bundle", "out"}),
    }
    metadata_path.write_text(json.dumps(metadata, indent=1) + "\n", encoding="utf-8")
    os.replace(fresh, target)
    return target


def check_target(target: Path) -> None:
    """Refuse a target that is there already; asked before hours of training, not only after.

    Raises
    ------
    InputError
        Code ``exists``.
    """
    if target.exists():
        raise InputError(
            f"{target} exists already.",
            expected="a folder that does not exist yet",
            got="an existing one",
            hint="Choose another, or remove it first.",
            code="exists",
        )
