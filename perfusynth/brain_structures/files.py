"""A scan's file to its brain's: the mask on the scan's grid, and beside it what made it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from perfusynth import __version__
from perfusynth.atomic import write_bytes
from perfusynth.errors import InputError
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.readers.read import Scan, read_scan
from perfusynth.stages import Stages
from perfusynth.volumes.brain import BrainExtractor, BrainMask
from perfusynth.volumes.nifti import write_nifti

#: Shares of the whole work, as timed with TotalSegmentator on a CPU.
SHARES: Final = {"read": 0.04, "brain": 0.92, "write": 0.04}
#: What a mask's file may be called.
ENDINGS: Final = (".nii.gz", ".nii")


def write_brain(
    source: Path, target: Path, extractor: BrainExtractor, *, on_progress: OnProgress = ignore_progress
) -> dict[str, Any]:
    """Find the brain in a scan and write it.

    Parameters
    ----------
    source
        NIfTI, NRRD, DICOM folder or zip of a head CT in HU.
    target
        ``<name>.nii.gz``: 0 and 1 on the scan's grid, its header copied. ``<name>.json`` beside it has the provenance.
        Where the scan was tilted or unevenly spaced, the resampled one that the mask lies on is ``<name>_ncct.nii.gz``.
    extractor
        The method.

    Returns
    -------
    The provenance, as in the JSON file.

    Raises
    ------
    InputError
        From `BrainFiles.beside`, the reader and the method.
    Cancelled
        From ``on_progress``; nothing is written then.
    """
    files = BrainFiles.beside(target)
    stages = Stages(SHARES, on_progress)
    with stages.stage("read") as progress:
        scan = read_scan(source, on_progress=progress)
    with stages.stage("brain") as progress:
        brain = extractor.extract(scan.volume, on_progress=progress)
    provenance = _provenance(scan, brain)
    with stages.stage("write"):
        if scan.resampled:
            write_nifti(files.ncct, scan.volume, like=scan.volume)
        write_bytes(files.provenance, json.dumps(provenance, indent=2).encode() + b"\n")
        # Last: a mask is never there without what made it.
        mask = scan.volume.with_array(brain.mask)
        write_nifti(files.mask, mask, like=scan.volume, dtype=np.uint8, description=f"brain: {brain.method}")
    return provenance


@dataclass(frozen=True)
class BrainFiles:
    """The files of one mask."""

    mask: Path
    provenance: Path
    ncct: Path

    @classmethod
    def beside(cls, target: Path) -> "BrainFiles":
        """The files for the mask ``target``, ``<name>.nii.gz``.

        Raises
        ------
        InputError
            Codes ``bad_target``: it cannot be called so; ``exists``: one of the files is there already.
        """
        ending = next((ending for ending in ENDINGS if target.name.endswith(ending)), "")
        stem = target.name.removesuffix(ending)
        if not ending or not stem:
            raise InputError(
                "The mask's file cannot be called so.",
                expected=f"a name that ends in {' or '.join(ENDINGS)}",
                got=repr(target.name[:60]),
                hint="Call it brain.nii.gz.",
                code="bad_target",
            )
        files = cls(target, target.with_name(f"{stem}.json"), target.with_name(f"{stem}_ncct.nii.gz"))
        for path in (files.mask, files.provenance, files.ncct):
            if path.exists():
                raise InputError(
                    f"{path.name} is there already.",
                    expected="a name that no file has yet",
                    got="an older file",
                    hint="Choose another, or remove the old files first; results are never overwritten.",
                    code="exists",
                )
        return files


def _provenance(scan: Scan, brain: BrainMask) -> dict[str, Any]:
    voxels = int(np.count_nonzero(brain.mask))
    return {
        "notice": "research use only",
        "method": brain.method,
        "details": dict(brain.details),
        "ml": round(voxels * scan.volume.voxel_ml, 3),
        "voxels": voxels,
        "input": {
            "sha256": scan.source_sha256,
            "kind": scan.kind,
            "shape": list(scan.volume.shape),
            "spacing_mm": [round(float(length), 5) for length in scan.volume.spacing],
            "resampled": scan.resampled,
            "notes": list(scan.notes),
        },
        "software": {"name": "perfusynth", "version": __version__},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
