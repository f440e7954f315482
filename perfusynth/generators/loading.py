"""From a bundle on disk to a generator in memory."""

from collections.abc import Callable

import torch

from perfusynth.errors import InputError
from perfusynth.generators.base import Generator
from perfusynth.generators.bundles import Bundle
from perfusynth.generators.devices import choose_device


def _turbo(bundle: Bundle, device: torch.device) -> Generator:
    from perfusynth.generators.turbo.generator import TurboGenerator

    return TurboGenerator.from_bundle(bundle, device)


def _unet(bundle: Bundle, device: torch.device) -> Generator:
    from perfusynth.generators.unet.generator import UNetGenerator

    return UNetGenerator.from_bundle(bundle, device)


#: The families that this version can run, and what loads a bundle of each; a family's libraries take seconds to import,
#: and a worker needs one family's.
FAMILIES: dict[str, Callable[[Bundle, torch.device], Generator]] = {"turbo": _turbo, "unet": _unet}


def load_generator(bundle: Bundle, *, device: str = "auto") -> Generator:
    """Load a bundle's generator onto a device.

    Raises
    ------
    InputError
        Code ``unknown_family``, ``weights_changed`` or ``bad_device``.
    """
    family = FAMILIES.get(bundle.spec.family)
    if family is None:
        raise InputError(
            f"{bundle.name} needs a generator family that this version does not have.",
            expected=" or ".join(FAMILIES),
            got=bundle.spec.family[:64],
            hint="Update perfusynth.",
            code="unknown_family",
        )
    return family(bundle, choose_device(device))
