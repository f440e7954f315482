"""The head line: on what, when and with which versions the figures were measured."""

import os
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

#: Distributions whose versions move the figures.
PACKAGES = ("perfusynth", "torch", "monai", "monailabel", "numpy", "scipy", "nibabel", "itk", "uvicorn")


def machine() -> dict[str, Any]:
    """Facts about machine and versions as JSON values."""
    import torch

    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "load_before": round(os.getloadavg()[0], 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def head_line(facts: dict[str, Any]) -> str:
    """The facts as one line."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {facts['torch_threads']} torch threads, {facts['gpu'] or 'no GPU'}; "
        f"{facts['date']}; load before the run {facts['load_before']}; Python {facts['python']}, {versions}"
    )


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
