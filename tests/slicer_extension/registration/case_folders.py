"""Case folders whose true registration is known: one head, its CT moved by a transform that the tests choose."""

from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from small_scan import small_scan

from perfusynth.registration.transform_file import transform_bytes
from perfusynth.volumes.case_file import write_case_file
from perfusynth.volumes.case_registration import CaseRegistration, keep_registration
from perfusynth.volumes.volume import Volume

#: RAS to LPS and back.
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def rigid(shift_mm=(0.0, 0.0, 0.0), axial_deg: float = 0.0) -> np.ndarray:
    """A turn about the patient's long axis through the origin, then a shift: 4x4, RAS mm."""
    cosine, sine = np.cos(np.radians(axial_deg)), np.sin(np.radians(axial_deg))
    matrix = np.eye(4)
    matrix[:2, :2] = [[cosine, -sine], [sine, cosine]]
    matrix[:3, 3] = shift_mm
    return matrix


def write_case(folder: Path, truth: np.ndarray, said: np.ndarray, probability: float) -> None:
    """A case whose images lie to each other as ``truth``, and whose automatic registration says ``said``."""
    scan = small_scan()
    moving = np.asarray(scan.array, np.float32)
    image = image_of(moving, scan.affine)
    transform = sitk.AffineTransform(3)
    lps = _FLIP @ truth @ _FLIP
    transform.SetMatrix(lps[:3, :3].ravel().tolist())
    transform.SetTranslation(lps[:3, 3].tolist())
    fixed = sitk.GetArrayFromImage(sitk.Resample(image, image, transform, sitk.sitkLinear, -1000.0)).transpose(2, 1, 0)
    noise = np.random.default_rng(0).normal(0, 3, fixed.shape)
    write_folder(folder, Volume(fixed + noise, scan.affine), Volume(moving, scan.affine), said, probability)


def write_folder(folder: Path, fixed: Volume, moving: Volume, said: np.ndarray, probability: float) -> None:
    """A case folder of two images (HU) whose automatic registration says ``said``."""
    folder.mkdir(parents=True)
    for name, volume in (("ctp", fixed), ("ncct", moving)):
        nib.save(nib.Nifti1Image(volume.array.astype(np.int16), volume.affine), folder / f"{name}.nii.gz")
    write_case_file(folder, {"kind": "study"})
    registration = CaseRegistration(said, "automatic", probability, time="2026-01-01T00:00:00+00:00", software="test")
    keep_registration(folder, registration, transform_bytes(said, np.zeros(3)))


def image_of(array: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """A volume as SimpleITK sees it."""
    lps = _FLIP @ affine
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    return image
