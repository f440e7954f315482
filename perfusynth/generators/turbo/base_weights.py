"""Base weights that the user brings (SD-Turbo): where they lie, whether they are the right ones, and their way in.

Nothing is downloaded: a folder of the user's, or what lies in the local cache of the hub.
"""

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from perfusynth.errors import InputError

#: Environment variable that names the base's folder; it goes before what the metadata names.
BASE_VARIABLE = "PERFUSYNTH_SD_TURBO"

#: The parts that are used, as folders of diffusers' layout, and the files of each. A scheduler is not needed.
PARTS = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}
FILES = ("config.json", "diffusion_pytorch_model.safetensors")


class BaseSettings(BaseModel):
    """Which base weights a network starts from, and how much of them an adapter may bend."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(description="a folder in diffusers' layout (unet/, vae/), or a hub id that the cache holds")
    licence: str = Field(description="whose terms the base stands under; told wherever the base is asked for")
    sha256: dict[str, str] = Field(
        default_factory=dict, description="of the safetensors file of each part; parts that are named must agree"
    )
    prompt: str | None = Field(
        None, description="text whose embedding by the base's text encoder a training begins with; None: zeros"
    )
    unet_rank: int = Field(8, gt=0, description="rank of the adapter's matrices in the UNet (upstream: 8)")
    autoencoder_rank: int = Field(4, gt=0, description="the same in the autoencoder (upstream: 4)")


def base_folder(settings: BaseSettings) -> Path:
    """The base's folder on this machine.

    Raises
    ------
    InputError
        Code ``no_base``: it is not here, or not whole.
    """
    named = os.environ.get(BASE_VARIABLE)
    folder = Path(named or settings.source).expanduser()
    if not named and not folder.is_dir():
        try:
            folder = Path(snapshot_download(settings.source, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError):
            raise _no_base(settings, "neither in a folder of that name nor in the hub's local cache") from None
    missing = [f"{part}/{file}" for part in PARTS for file in FILES if not (folder / part / file).is_file()]
    if missing:
        raise _no_base(settings, f"a folder without {', '.join(missing)}")
    return folder


def _no_base(settings: BaseSettings, got: str) -> InputError:
    name = Path(settings.source).name
    return InputError(
        f"This model needs the weights of {name}, which are not shipped (licence: {settings.licence}).",
        expected=" and ".join(f"{part}/ with {' and '.join(FILES)}" for part in PARTS),
        got=got,
        hint=f"Accept the licence, download {name} yourself, and set {BASE_VARIABLE} to its folder.",
        code="no_base",
    )


def base_sha256(folder: Path) -> dict[str, str]:
    """SHA-256 of each part's safetensors file, as the hub's page shows it."""
    files = {part: folder / part / FILES[1] for part in PARTS}
    return {part: _sha256(str(file), file.stat().st_mtime_ns) for part, file in files.items()}


@lru_cache(maxsize=8)
def _sha256(file: str, _modified: int) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_base(found: dict[str, str], wanted: dict[str, str]) -> None:
    """Refuse a base whose hashes are not those wanted (parts that are not named are not compared).

    Raises
    ------
    InputError
        Code ``wrong_base``.
    """
    for part, digest in wanted.items():
        if found.get(part) != digest:
            raise InputError(
                "These are not the base weights that the adapter was trained on.",
                expected=f"{part}: SHA-256 {digest}",
                got=f"SHA-256 {found.get(part, 'of no such part')}",
                hint=f"Point {BASE_VARIABLE} to the very base that the model's card names.",
                code="wrong_base",
            )


def load_base(unet: nn.Module, autoencoder: nn.Module, folder: Path) -> None:
    """Fill both networks with the base's weights (float32).

    First and last convolutions of the autoencoder may have other numbers of channels than the base's: channels that
    both have are the base's, the others begin at zero, so that they are silent until they are trained.

    Raises
    ------
    InputError
        Code ``wrong_base``: the base's networks have another shape.
    """
    for name, network in (("unet", unet), ("vae", autoencoder)):
        base: Any = PARTS[name].from_pretrained(folder / name, local_files_only=True, use_safetensors=True)
        state, own = base.float().state_dict(), network.state_dict()
        if name == "vae":
            for ends in ("encoder.conv_in.weight", "decoder.conv_out.weight", "decoder.conv_out.bias"):
                state[ends] = overlapping(state[ends], own[ends].shape)
        differing = [key for key in {*state, *own} if key not in own or key not in state or not _fit(state, own, key)]
        if differing:
            raise InputError(
                f"The {name} of the base has another shape than this model's.",
                expected="the networks that the model's metadata describes",
                got=f"{len(differing)} weights that differ, the first: {min(differing)}",
                hint=f"Point {BASE_VARIABLE} to the base that the model's card names.",
                code="wrong_base",
            )
        network.load_state_dict(state, assign=True)


def _fit(state: dict[str, torch.Tensor], own: dict[str, torch.Tensor], key: str) -> bool:
    return state[key].shape == own[key].shape


def overlapping(weight: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """A tensor of ``shape`` that holds ``weight`` where both have channels, and zero elsewhere."""
    fitted = torch.zeros(shape, dtype=weight.dtype)
    common = tuple(slice(min(n, m)) for n, m in zip(weight.shape, shape, strict=True))
    fitted[common] = weight[common]
    return fitted
