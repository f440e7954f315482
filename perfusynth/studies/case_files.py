"""What a prepared case folder holds: volumes under headers made anew, ``case.json`` without identities."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth.volumes.nifti import write_nifti
from perfusynth.volumes.volume import Volume

#: Types on disk by name; all else is float32.
STORED_AS = {"ncct": np.int16, "cta": np.int16, "brain": np.uint8, "valid": np.uint8, "core": np.uint8}
#: Digits after the point of volumes, mL, and of the minutes between scans.
DIGITS = 2


@dataclass(frozen=True, eq=False)
class CaseVolumes:
    """Volumes by name, what their headers say they are, and ``volumes_ml`` by name."""

    volumes: Mapping[str, Volume]
    descriptions: Mapping[str, str]
    volumes_ml: Mapping[str, float]


def write_volumes(folder: Path, case: CaseVolumes) -> dict[str, Any]:
    """Write ``<name>.nii.gz`` each; returns what ``case.json`` says of them.

    Nothing of the header that an image came with is kept.
    """
    written = {}
    for name, volume in case.volumes.items():
        dtype = STORED_AS.get(name, np.float32)
        array = volume.array
        if dtype is np.int16:
            array = np.clip(array, -32768, 32767)
        plain = Volume(array, volume.affine)
        description = case.descriptions.get(name, f"perfusynth prepare: {name}")
        write_nifti(folder / f"{name}.nii.gz", plain, dtype=dtype, description=description)
        written[name] = {
            "frame": "moving" if name in ("ncct", "cta", "brain") else "fixed",
            "shape": list(volume.shape),
            "spacing_mm": [round(float(s), 4) for s in volume.spacing],
        }
    return written


def rounded_hu(volume: Volume) -> Volume:
    """HU as int16 holds them, so that what is hashed and registered is what is written."""
    return Volume(np.clip(np.rint(volume.array), -32768, 32767), volume.affine)
