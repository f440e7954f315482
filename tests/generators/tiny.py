"""A generator small enough for a test: the real classes, a tiny configuration, random weights on disk."""

import hashlib
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from perfusynth.generators.turbo.network import TurboConfig, TurboNetwork

SHIPPED = Path(__file__).parents[2] / "models" / "ncct_perfusion_compact"

NETWORK = {
    "autoencoder": {
        "in_channels": 4,
        "out_channels": 2,
        "down_block_types": ["DownEncoderBlock2D"] * 2,
        "up_block_types": ["UpDecoderBlock2D"] * 2,
        "block_out_channels": [4, 8],
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 2,
        "mid_block_add_attention": False,
        "scaling_factor": 1.0,
    },
    "unet": {
        "in_channels": 4,
        "out_channels": 4,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
        "block_out_channels": [8, 8],
        "layers_per_block": 1,
        "cross_attention_dim": 4,
        "attention_head_dim": 2,
        "norm_num_groups": 2,
    },
    "one_step": {"timestep": 999, "alpha_cumprod": 0.5},
    "prompt_tokens": 1,
    "skip_init": 0.5,
    "context": {"windows": [[8, 56], [35, 85]], "stem_channels": [8], "channels": [8, 8]},
}


def write_tiny_bundle(folder: Path, *, weights: bool = True) -> Path:
    """A bundle as shipped, but with the tiny network (random weights of a fixed seed), and without calibration."""
    (folder / "configs").mkdir(parents=True)
    for name in ("metadata.json", "train.json"):
        shutil.copy(SHIPPED / "configs" / name, folder / "configs")
    path = folder / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["perfusynth"]["network"] = NETWORK
    metadata["perfusynth"]["training"] = {}
    (folder / "models").mkdir()
    if weights:
        torch.manual_seed(0)
        state = TurboNetwork(TurboConfig.model_validate(NETWORK)).state_dict()
        file = folder / "models" / "model.safetensors"
        save_file({name: tensor.half().contiguous() for name, tensor in state.items()}, file)
        metadata["perfusynth"]["weights_sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    path.write_text(json.dumps(metadata))
    return folder
