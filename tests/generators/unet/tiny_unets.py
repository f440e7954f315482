"""Plain UNets small enough for a test: the bundles' templates with a tiny network, random weights on disk."""

import hashlib
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.unet.generator import unet_of

TEMPLATES = Path(__file__).parents[3] / "model_templates"
NAMES = ["unet_regression", "unet_regression_head", "unet_segmentation", "unet_segmentation_head"]
NETWORKS = {
    "slabs": {"spatial": "slabs", "shrink": 1, "channels": [8, 16, 16], "norm_groups": 4},
    "head": {"spatial": "head", "shrink": 2, "channels": [8, 16, 16], "norm_groups": 4},
}


def write_tiny_unet(name: str, folder: Path) -> Path:
    """A bundle like the template of that name, but with a tiny network (random weights of a fixed seed)."""
    shutil.copytree(TEMPLATES / name, folder)
    path = folder / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["perfusynth"]["network"] = NETWORKS[metadata["perfusynth"]["network"]["spatial"]]
    path.write_text(json.dumps(metadata))
    (folder / "models").mkdir()
    torch.manual_seed(0)
    state = unet_of(read_bundle(folder).spec).state_dict()
    file = folder / "models" / "model.safetensors"
    save_file({key: tensor.half().contiguous() for key, tensor in state.items()}, file)
    metadata["perfusynth"]["weights_sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    path.write_text(json.dumps(metadata))
    return folder
