"""From a run to a bundle: its best or its last averaged weights as float16 safetensors, and what made them."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors.torch import load_file, save_file

from perfusynth.errors import InputError
from perfusynth.generators.bundles import Bundle, read_bundle
from perfusynth.generators.turbo.base_mark import named_base
from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash
from perfusynth.training.checkpoints import AVERAGE, complete_folder, read_network, read_standing
from perfusynth.training.config import TrainingConfig
from perfusynth.training.data.split import SPLIT_FILE, NamedCases, read_split
from perfusynth.training.engine import CHECKPOINT_FOLDER, CONFIG_FILE
from perfusynth.training.phase_run import BEST_FOLDER

#: What a bundle keeps of the one that was trained: card, intervals and whatever else was measured are of other weights.
KEPT_FILES = ("configs/metadata.json", "configs/train.json")
#: Settings that name places on this machine, or are told in another form.
NOT_TOLD = {
    "bundle",
    "out",
    "data",
    "phantom_seeds",
    "split",
    "split_file",
    "drawn",
    "start_from",
    "minutes",
    "device",
    "workers",
}
#: Largest weight file: a repository takes no more.
SHARD_SIZE = "12MB"
#: Which weights: the best by the run's tuning figure, or the moving average as the run ended.
Weights = Literal["best", "last"]


def export_bundle(run: Path, target: Path, *, weights: Weights = "best", phase: str | None = None) -> Path:
    """Write a run's weights as a bundle.

    Parameters
    ----------
    run
        Folder of the run, finished or not.
    target
        Folder that is not there yet.
    weights
        ``best``: of a phase, by the run's tuning figure (``last`` where none was measured).
    phase
        Name of the phase whose best weights are meant; None: the last one that was measured.

    Raises
    ------
    InputError
        Codes ``exists``: ``target`` is there already; ``no_run``: ``run`` has no weights yet.
    """
    check_target(target)
    try:
        config = TrainingConfig.model_validate_json((run / CONFIG_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise _no_run() from error
    state, told = _weights(run, weights, phase)
    fresh = target.with_name(target.name + ".part")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "models").mkdir(parents=True)
    for name in KEPT_FILES:
        (fresh / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(config.bundle / name, fresh / name)
    half = {name: (tensor.half() if tensor.is_floating_point() else tensor) for name, tensor in state.items()}
    shards = split_torch_state_dict_into_shards(
        half, filename_pattern="model{suffix}.safetensors", max_shard_size=SHARD_SIZE
    )
    for file, names in shards.filename_to_tensors.items():
        kept = {name: half[name].contiguous() for name in names}
        save_file(kept, fresh / "models" / file, metadata=named_base(half))
    metadata_path = fresh / "configs" / "metadata.json"
    metadata = json.loads(metadata_path.read_text(encoding="utf-8"))
    sha256 = read_bundle(fresh).weights_sha256()
    metadata["version"] = f"{metadata['version'].partition('+')[0]}+{sha256[:8]}"
    for output in metadata["perfusynth"]["outputs"]:
        if "region_above" in output and "region_above" in told["figures"]:
            output["region_above"] = told["figures"]["region_above"]
    metadata["perfusynth"] |= {"weights_sha256": sha256, "training": _training(config, run, told)}
    metadata_path.write_text(json.dumps(metadata, indent=1) + "\n", encoding="utf-8")
    os.replace(fresh, target)
    return target


def _weights(run: Path, weights: Weights, phase: str | None) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The weights by name, and what is known of them: phase, step, tuning figures."""
    found = sorted((run / BEST_FOLDER).glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    found = [path for path in found if phase in (None, path.stem)]
    if weights == "best" and found:
        return load_file(found[-1].with_suffix(".safetensors")), json.loads(found[-1].read_text(encoding="utf-8"))
    checkpoint = complete_folder(run / CHECKPOINT_FOLDER)
    if checkpoint is None or phase is not None:
        raise _no_run()
    state = read_network(checkpoint, AVERAGE)
    del state["n_averaged"]
    standing = read_standing(checkpoint)
    return state, {"phase": standing.phase, "step": standing.step, "figures": {}}


def _training(config: TrainingConfig, run: Path, told: dict[str, Any]) -> dict[str, Any]:
    """The block of the metadata that says what made the weights; no path and no patient's name is in it."""
    split = read_split(run / SPLIT_FILE)
    return {
        "data": "case folders" if config.data is not None else "digital patients",
        "phantom": None
        if config.data is not None
        else {"version": PHANTOM_VERSION, "parameter_hash": parameter_hash()},
        "split": (split.hashed() if isinstance(split, NamedCases) else split).model_dump(mode="json"),
        "settings": _without_places(config.model_dump(exclude=NOT_TOLD)),
        "weights": told,
        "start_from": None if config.start_from is None else _origin(read_bundle(config.start_from)),
    }


def _without_places(settings: Any) -> Any:
    """Settings as plain values, of each path its last part alone."""
    if isinstance(settings, dict):
        return {name: _without_places(value) for name, value in settings.items()}
    return settings.name if isinstance(settings, Path) else settings


def _origin(bundle: Bundle) -> dict[str, Any]:
    """The bundle whose weights a run began with; its patients count as seen, too."""
    return {
        "name": bundle.name,
        "version": bundle.version,
        "weights_sha256": bundle.spec.weights_sha256,
        "training": bundle.spec.training,
    }


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


def _no_run() -> InputError:
    return InputError(
        "There are no trained weights.",
        expected="the folder of a run that has been measured or stopped at least once",
        got="one without the weights asked for",
        hint="Train first, or go on training.",
        code="no_run",
    )
