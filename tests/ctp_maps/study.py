"""A digital patient's perfusion study, small enough for tests: frames, true maps, and the files that hold them."""

import dataclasses
from functools import lru_cache
from pathlib import Path

import nibabel as nib
import numpy as np
from pydicom.uid import generate_uid

from perfusynth.phantom.ctp.frames import render_series
from perfusynth.phantom.ctp.maps import MeasuredMaps, measured_maps
from perfusynth.phantom.ctp.protocols import PROTOCOLS, native_ctp_grid
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.volumes.geometry import nearest_ras
from perfusynth.volumes.series import Series
from perfusynth.volumes.volume import Volume
from tests.readers.conftest import CT_STORAGE, plain_dataset, put_pixels

#: 8 slices of 10 mm, a frame every 2 s for 60 s. Pixels of twice the width have half the noise at one dose.
PROTOCOL = dataclasses.replace(
    PROTOCOLS["wide_160mm"],
    matrix=128,
    pixel_mm=1.8,
    slice_mm=10.0,
    coverage_mm=80.0,
    frame_s=2.0,
    noise_sd_hu=3.0,
    motion="off",
    smoothing_sigma_mm=(2.8, 0.0),
)
#: A patient with an occlusion on the left and 130 mL of Tmax > 6 s.
SEED, SIDE = 4, "left"


@lru_cache(maxsize=1)
def study() -> Series:
    """The study, RAS+ axes."""
    made = render_series(scene_of(draw_patient(SEED)), PROTOCOL, 1)
    return Series(made.hu, made.affine, made.times_s)


@lru_cache(maxsize=2)
def true_maps(noise_seed: int | None = None) -> MeasuredMaps:
    """Maps of the study by the true arterial input, without noise or with that of another study."""
    scene = scene_of(draw_patient(SEED))
    grid = native_ctp_grid(scene.patient, PROTOCOL)
    return measured_maps(scene, grid, PROTOCOL, noise_seed or 0, noise=noise_seed is not None)


def with_frames(array: np.ndarray, times_s: np.ndarray | None = None) -> Series:
    """The study's grid and interval with other frames."""
    interval = PROTOCOL.frame_s
    return Series(array, study().affine, interval * np.arange(array.shape[3]) if times_s is None else times_s)


def stored_as(series: Series, axes: str) -> Series:
    """The same study with its axes stored in another order: ``LPS``, ``SAR``."""
    there = nib.orientations.axcodes2ornt(axes)
    change = nib.orientations.ornt_transform(nib.orientations.io_orientation(series.affine), there)
    array = nib.orientations.apply_orientation(series.array, change)
    return Series(array, series.affine @ nib.orientations.inv_ornt_aff(change, series.shape), series.times_s)


def in_ras(volume: Volume) -> np.ndarray:
    """A map's values in the study's own order."""
    return nearest_ras(volume).array


def write_nifti_study(path: Path, series: Series, *, interval_s: float = PROTOCOL.frame_s) -> Path:
    """A 4-D file whose header holds more than is needed; an interval of 0 tells no time."""
    image = nib.Nifti1Image(np.asarray(series.array), series.affine)
    image.header["pixdim"][4] = interval_s
    image.header.set_xyzt_units("mm", "sec")
    image.header["slice_code"], image.header["toffset"] = 3, 1.25
    image.header.set_sform(series.affine, code=1)
    image.header.set_qform(series.affine, code=1)
    nib.save(image, path)
    return path


def write_dicom_study(folder: Path, series: Series) -> Path:
    """A slice a file, head first and supine, as scanners write it: rows run to the left, columns to the back."""
    folder.mkdir()
    turned = stored_as(series, "LPS")
    uid = generate_uid()
    for k, seconds in enumerate(turned.times_s):
        for z in range(turned.shape[2]):
            ds = plain_dataset(CT_STORAGE)
            ds.SeriesInstanceUID, ds.SeriesNumber = uid, 5
            ds.AcquisitionNumber, ds.InstanceNumber = k + 1, k * turned.shape[2] + z + 1
            ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
            ds.AcquisitionDate, ds.AcquisitionTime = "20240105", f"1015{seconds:09.6f}"
            if seconds >= 60:
                raise ValueError("expected a study within a minute")
            ds.ImagePositionPatient = list(turned.affine[:3, 2] * [-1, -1, 1] * z + turned.affine[:3, 3] * [-1, -1, 1])
            ds.ImageOrientationPatient, ds.PixelSpacing = [1, 0, 0, 0, 1, 0], [PROTOCOL.pixel_mm] * 2
            ds.RescaleSlope, ds.RescaleIntercept = 1.0, -1024.0
            put_pixels(ds, turned.array[:, :, z, k].T + np.int16(1024))
            ds.save_as(folder / f"{k:03d}-{z:02d}.dcm", write_like_original=False)
    return folder


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Overlap of two regions, 0-1."""
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))
