"""A base like SD-Turbo's folder, but tiny: the same classes, the same files, random weights of a fixed seed."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

AUTOENCODER = {
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [4, 8, 8, 8],
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 2,
    "scaling_factor": 0.18215,
}
UNET = {
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "block_out_channels": [8, 16],
    "layers_per_block": 1,
    "cross_attention_dim": 12,
    "attention_head_dim": [2, 4],
    "use_linear_projection": True,
    "norm_num_groups": 2,
}
PROMPT_TOKENS = 7


def write_tiny_base(folder: Path, seed: int = 0) -> Path:
    """``unet/``, ``vae/``, ``text_encoder/`` and ``tokenizer/`` as diffusers and transformers write them."""
    torch.manual_seed(seed)
    UNet2DConditionModel(**UNET).save_pretrained(folder / "unet")
    AutoencoderKL(in_channels=3, out_channels=3, **AUTOENCODER).save_pretrained(folder / "vae")
    letters = [*"abcdefghijklmnopqrstuvwxyz"]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "tokenizer").mkdir()
    vocabulary = {word: number for number, word in enumerate(words)}
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\n")
    text = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=UNET["cross_attention_dim"],
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=PROMPT_TOKENS,
        bos_token_id=len(words) - 2,
        eos_token_id=len(words) - 1,
        pad_token_id=len(words) - 1,
    )
    CLIPTextModel(text).save_pretrained(folder / "text_encoder")
    return folder


def network_on(base: Path, **changes) -> dict:
    """The ``network`` block of a bundle that stands on that base."""
    return {
        "autoencoder": {"in_channels": 4, "out_channels": 2, **AUTOENCODER},
        "unet": UNET,
        "one_step": {"timestep": 999, "alpha_cumprod": 0.00466},
        "prompt_tokens": PROMPT_TOKENS,
        "skip_init": 1e-5,
        "base": {"source": str(base), "licence": "none: made for a test", **changes},
    }
