"""The base's hash as a part of an adapter's weights: they cannot be loaded beside another base."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from perfusynth.generators.turbo.base_weights import check_base

#: Name of the mark in a network, and so the beginning of its tensors' names.
MARK = "base_sha256"


class BaseMark(nn.Module):
    """Holds the SHA-256 of each part of the base, 32 bytes each; refuses to take another base's in their place.

    Parameters
    ----------
    sha256
        Of each part's safetensors file, hexadecimal.
    """

    def __init__(self, sha256: Mapping[str, str]):
        super().__init__()
        for part, digest in sha256.items():
            self.register_buffer(part, torch.tensor(list(bytes.fromhex(digest)), dtype=torch.uint8))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """What `load_state_dict` calls; an `InputError` (``wrong_base``) where the weights name another base."""
        own = {part: _hexadecimal(digest) for part, digest in self.named_buffers()}
        check_base(own, {part: _hexadecimal(state_dict[prefix + part]) for part in own if prefix + part in state_dict})
        super()._load_from_state_dict(state_dict, prefix, *args)


def named_base(state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """The base that weights were trained on, as text for a file's metadata: SHA-256 by part; empty without one."""
    prefix = f"{MARK}."
    return {name: _hexadecimal(digest) for name, digest in state.items() if name.startswith(prefix)}


def _hexadecimal(digest: torch.Tensor) -> str:
    return bytes(digest.to(torch.uint8).tolist()).hex()
