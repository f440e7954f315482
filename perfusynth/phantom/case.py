"""Write a phantom patient as a case folder: NIfTI volumes, and case.json with everything that was drawn."""

import json
from dataclasses import asdict
from pathlib import Path

import nibabel as nib
import numpy as np

from perfusynth import atomic
from perfusynth.phantom.ct.scanners import Scanner
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.render import RenderedCase, render_native
from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash
from perfusynth.volumes.fingerprint import voxel_sha256
from perfusynth.volumes.volume import Volume

MAPS, MASKS = ("tmax", "cbf"), ("core", "brain", "valid")
#: Thresholds of the volumes in case.json, s.
TMAX_THRESHOLDS_S = (4, 6, 8, 10)


def _nifti(array: np.ndarray, affine: np.ndarray, description: str) -> bytes:
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header["descrip"] = description.encode()[:79]
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    return gzip_bytes(image.to_bytes())


def gzip_bytes(content: bytes) -> bytes:
    """Gzip without time and name, so that the same case has the same bytes."""
    import gzip

    return gzip.compress(content, compresslevel=4, mtime=0)


def volumes_ml(case: RenderedCase) -> dict[str, float]:
    """Volumes (mL) of the rendered case: ``tmax_over_<n>_s``, ``core``, ``brain``."""
    voxel_ml = float(abs(np.linalg.det(case.affine[:3, :3]))) / 1000
    found = {f"tmax_over_{n}_s": float((case.volumes["tmax"] > n).sum()) * voxel_ml for n in TMAX_THRESHOLDS_S}
    for name in ("core", "brain"):
        found[name] = float(case.volumes[name].sum()) * voxel_ml
    return {name: round(value, 3) for name, value in found.items()}


def write_case(folder: Path, seed: int, scanner: Scanner) -> Path:
    """Render patient ``seed`` on ``scanner``'s native grid and write the case folder; returns ``folder``.

    Files appear by rename, ``case.json`` last: a folder with a ``case.json`` is complete.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    patient = draw_patient(seed)
    case = render_native(patient, scanner, noise_seed=seed)
    ncct = np.rint(case.volumes["ncct"]).astype(np.int16)
    atomic.write_bytes(folder / "ncct.nii.gz", _nifti(ncct, case.affine, "phantom NCCT, HU"))
    for name in MAPS:
        atomic.write_bytes(folder / f"{name}.nii.gz", _nifti(case.volumes[name], case.affine, f"phantom {name}"))
    for name in MASKS:
        mask = case.volumes[name].astype(np.uint8)
        atomic.write_bytes(folder / f"{name}.nii.gz", _nifti(mask, case.affine, f"phantom {name}"))
    identity = np.eye(4).tolist()
    content = {
        "kind": "phantom",
        "phantom_version": PHANTOM_VERSION,
        "parameter_hash": parameter_hash(),
        "seed": int(seed),
        "noise_seed": int(seed),
        "patient": patient.as_dict(),
        "scanner": asdict(scanner),
        "ncct_sha256": voxel_sha256(Volume(ncct.astype(np.float32), case.affine)),
        "fixed_to_moving": identity,
        "volumes_ml": volumes_ml(case),
    }
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
    atomic.write_bytes(folder / "case.json", (text + "\n").encode())
    return folder
