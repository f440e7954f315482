"""Choosing where a generator runs."""

import torch

from perfusynth.errors import InputError


def choose_device(name: str = "auto") -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda`` or ``cuda:1`` into a device that exists.

    Raises
    ------
    InputError
        Code ``bad_device``: the machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    available = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    if device is None or (str(device) not in available and not (name == "cuda" and len(available) > 1)):
        raise InputError(
            f"There is no device {name[:32]!r} on this machine.",
            expected=f"auto or one of {', '.join(available)}",
            got=repr(name[:32]),
            hint="Choose another with --device.",
            code="bad_device",
        )
    return device
