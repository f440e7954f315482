"""A hospital's files of a digital patient, small enough for tests: plain CT, perfusion and maps, full of identities."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from scipy.spatial.transform import Rotation

from perfusynth.phantom.ct.grids import native_grid
from perfusynth.phantom.ct.ncct import render_ncct
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.registration.register import Registered
from perfusynth.studies.pseudonyms import Pseudonyms
from perfusynth.volumes.volume import Volume
from tests.ctp_maps.study import SEED
from tests.readers.conftest import CT_STORAGE, plain_dataset, put_pixels

#: How the head lies in the NCCT: 7 degrees and 9 mm from where it lies in the CTP.
FIXED_TO_MOVING = np.eye(4)
FIXED_TO_MOVING[:3, :3] = Rotation.from_rotvec(np.radians([5.0, -2.0, 4.0])).as_matrix()
FIXED_TO_MOVING[:3, 3] = (4.0, -6.0, 5.0)
#: When the perfusion study of `tests.ctp_maps.study` begins.
CTP_START = datetime(2024, 1, 5, 10, 15)
#: What must not be found in any output.
SECRETS = ("Secret", "SECRET", "Holmes", "19610203", "20240105", "St Elsewhere", "1.2.3.4")
PSEUDONYMS = Pseudonyms(b"a salt of the tests alone")


@lru_cache(maxsize=1)
def ncct() -> Volume:
    """The NCCT of the patient of `tests.ctp_maps.study`, HU in whole numbers, RAS+ axes, 0.98 x 0.98 x 5 mm."""
    scene, scanner = scene_of(draw_patient(SEED)), SCANNERS["standard_5mm"]
    to_head = np.linalg.inv(FIXED_TO_MOVING)
    whole = native_grid(scene.patient, scanner, to_head)
    grid = whole.resized((256, 256, whole.shape[2]))
    hu, _ = render_ncct(scene, grid.moved(to_head), scanner, SEED)
    return Volume(np.rint(hu), grid.affine)


def box(heights: int = 5, frames: int | None = None) -> np.ndarray:
    """Voxels for tests of headers alone, (8, 8, z) or (8, 8, z, frames)."""
    shape = (8, 8, heights) if frames is None else (8, 8, heights, frames)
    return np.zeros(shape, dtype=np.int16)


def write_dicom(
    folder: Path,
    array: np.ndarray,
    affine: np.ndarray | None = None,
    *,
    start: datetime | None = CTP_START,
    interval_s: float = 2.0,
    number: int = 1,
    patient: str = "SECRET-ID",
    slope: float = 1.0,
    intercept: float = -1024.0,
    change: Callable[[Dataset], None] = lambda dataset: None,
    **attributes: object,
) -> str:
    """Write a series, a slice a file, with names that say nothing; returns its UID.

    Parameters
    ----------
    array
        HU (or a map's numbers), (x, y, z) or (x, y, z, frames), RAS+ axes.
    affine
        4x4; None: 5 mm voxels.
    start
        When the first image was acquired; None: nothing says when.
    attributes
        Keywords of the header; None removes one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    affine = np.diag([5.0, 5.0, 5.0, 1.0]) if affine is None else affine
    frames = array[..., None] if array.ndim == 3 else array
    uid, written = generate_uid(), len(list(folder.iterdir()))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    for k in range(frames.shape[3]):
        for z in range(frames.shape[2]):
            ds = plain_dataset(CT_STORAGE)
            ds.PatientID, ds.PatientName, ds.PatientBirthDate, ds.PatientSex = patient, "Holmes^S", "19610203", "M"
            ds.InstitutionName, ds.StudyDate = "St Elsewhere", "20240105"
            ds.SeriesInstanceUID, ds.SeriesNumber = uid, number
            ds.AcquisitionNumber, ds.InstanceNumber = k + 1, k * frames.shape[2] + z + 1
            ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
            ds.SeriesDescription = "Head Holmes"
            if start is not None:
                moment = start + timedelta(seconds=interval_s * k)
                ds.AcquisitionDate, ds.AcquisitionTime = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S.%f")
            # Rows run to the left and columns to the back.
            corner = affine @ [frames.shape[0] - 1, frames.shape[1] - 1, z, 1]
            ds.ImagePositionPatient = [-corner[0], -corner[1], corner[2]]
            ds.ImageOrientationPatient, ds.PixelSpacing = [1, 0, 0, 0, 1, 0], [spacing[1], spacing[0]]
            ds.SliceThickness = float(spacing[2])
            ds.RescaleSlope, ds.RescaleIntercept = slope, intercept
            stored = np.rint((frames[::-1, ::-1, z, k].T.astype(float) - intercept) / slope)
            put_pixels(ds, stored.astype(np.int16))
            for keyword, value in attributes.items():
                if value is None:
                    ds.pop(keyword, None)
                else:
                    setattr(ds, keyword, value)
            change(ds)
            ds.save_as(folder / f"IM{written:05d}", write_like_original=False)
            written += 1
    return uid


def knows_the_truth(probability: float = 0.01) -> Callable[..., Registered]:
    """Stands in for the registration where a test looks at something else."""

    def register(fixed: Volume, moving: Volume, *, on_progress: Callable[[str, float], None]) -> Registered:
        return Registered(FIXED_TO_MOVING, np.zeros(3), {"nmi": 1.2}, probability, (), 0.0)

    return register
