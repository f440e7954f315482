"""DICOM series with known content: HU are a linear function of the place in the patient, so that any error shows."""

import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

#: HU per mm to the patient's left, back and head (LPS), and at the origin.
GRADIENT, OFFSET = np.array([3.0, 1.0, 2.0]), 40.0
CT_STORAGE, ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1"


def hounsfield_at(lps: np.ndarray) -> np.ndarray:
    """Known HU at LPS positions ``(..., 3)`` in mm."""
    return lps @ GRADIENT + OFFSET


def slice_values(
    position: np.ndarray, orientation: Sequence[float], spacing: Sequence[float], size: tuple[int, int]
) -> np.ndarray:
    """HU of one slice, shape (rows, columns)."""
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    r, c = np.mgrid[: size[0], : size[1]]
    places = position + c[..., None] * spacing[1] * row + r[..., None] * spacing[0] * column
    return hounsfield_at(places)


@pytest.fixture
def write_series() -> Callable[..., Path]:
    """Writes a CT series of `hounsfield_at`; keyword values of None remove an attribute."""

    def write(
        folder: Path,
        positions: Sequence[Sequence[float]],
        *,
        orientation: Sequence[float] = (1, 0, 0, 0, 1, 0),
        spacing: Sequence[float] = (1.5, 1.25),
        size: tuple[int, int] = (20, 24),
        slopes: Sequence[float] | None = None,
        intercepts: Sequence[float] | None = None,
        instance_numbers: Sequence[int] | None = None,
        series_uid: str | None = None,
        change_pixels: Callable[[int, np.ndarray], np.ndarray] = lambda k, stored: stored,
        change: Callable[[int, Dataset], None] = lambda k, dataset: None,
        **attributes,
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        series_uid = series_uid or generate_uid()
        start = len(list(folder.iterdir()))
        for k, position in enumerate(positions):
            slope = slopes[k] if slopes else 1.0
            intercept = intercepts[k] if intercepts else -1024.0
            values = slice_values(np.array(position, dtype=float), orientation, spacing, size)
            stored = np.rint((values - intercept) / slope).astype(np.int16)
            ds = plain_dataset(CT_STORAGE)
            ds.SeriesInstanceUID = series_uid
            ds.SeriesNumber, ds.AcquisitionNumber = 2, 1
            ds.InstanceNumber = instance_numbers[k] if instance_numbers else k + 1
            ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
            ds.ImagePositionPatient = [float(p) for p in position]
            ds.ImageOrientationPatient = [float(o) for o in orientation]
            ds.PixelSpacing = list(spacing)
            ds.RescaleSlope, ds.RescaleIntercept = slope, intercept
            put_pixels(ds, change_pixels(k, stored))
            for keyword, value in attributes.items():
                if value is None:
                    ds.pop(keyword, None)
                else:
                    setattr(ds, keyword, value)
            change(k, ds)
            ds.save_as(folder / f"{start + k:04d}.dcm", write_like_original=False)
        return folder

    return write


def plain_dataset(sop_class: str) -> Dataset:
    """A dataset with what every image has."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.is_little_endian, ds.is_implicit_VR = True, False
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, generate_uid()
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.StudyInstanceUID = "1.2.3.4"
    ds.PatientName, ds.PatientID = "Secret^Name", "SECRET-ID"
    ds.Modality = "CT"
    return ds


def put_pixels(ds: Dataset, stored: np.ndarray) -> None:
    """Store int16 pixels, (rows, columns) or (frames, rows, columns)."""
    ds.Rows, ds.Columns = stored.shape[-2:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    ds.PixelData = np.ascontiguousarray(stored, dtype="<i2").tobytes()


#: HU per second by which a perfusion study of `write_ctp` brightens: linear, so that interpolation in time is exact.
BRIGHTENING = 4.0


@pytest.fixture
def write_ctp(write_series) -> Callable[..., Path]:
    """Writes a CT perfusion study of `hounsfield_at` plus `BRIGHTENING`, under shuffled file names."""

    def write(
        folder: Path,
        positions: Sequence[Sequence[float]],
        times_s: np.ndarray,
        put_time: Callable[[Dataset, float, int], None],
        *,
        without: Sequence[tuple[int, int]] = (),
        change: Callable[[int, Dataset], None] = lambda z, dataset: None,
        **attributes,
    ) -> Path:
        """``times_s`` (frames,) or (z, frames); ``put_time`` writes the time of frame k; ``without``: (z, k)."""
        times = np.broadcast_to(times_s, (len(positions), np.shape(times_s)[-1]))
        attributes.setdefault("series_uid", generate_uid())
        for k in range(times.shape[1]):
            there = [z for z in range(len(positions)) if (z, k) not in without]

            def timed(n: int, ds: Dataset, k: int = k, there: list[int] = there) -> None:
                ds.AcquisitionNumber, ds.InstanceNumber = k + 1, k * len(positions) + there[n] + 1
                put_time(ds, float(times[there[n], k]), k)
                change(there[n], ds)

            def brighter(n: int, stored: np.ndarray, k: int = k, there: list[int] = there) -> np.ndarray:
                return np.rint(stored + BRIGHTENING * times[there[n], k]).astype(np.int16)

            write_series(folder, [positions[z] for z in there], change=timed, change_pixels=brighter, **attributes)
        paths = sorted(folder.iterdir())
        for path, number in zip(paths, np.random.default_rng(3).permutation(len(paths)), strict=True):
            path.rename(folder / f"shuffled-{number:05d}")
        for path in list(folder.iterdir()):
            path.rename(folder / path.name.removeprefix("shuffled-"))
        return folder

    return write


@pytest.fixture
def assert_true_frames() -> Callable[..., None]:
    """Checks that every voxel of a series holds the HU of its place in the patient at its time."""

    def check(series, *, tolerance: float = 1.01, where: np.ndarray | None = None) -> None:
        times = np.broadcast_to(series.times_s, (series.shape[2], series.frames))
        off = np.abs(series.array - hounsfield_at(places_of(series))[..., None] - BRIGHTENING * times)
        if where is not None:
            off = off[where]
        assert off.max() <= tolerance, f"worst {off.max():.2f} HU"

    return check


@pytest.fixture
def along_z() -> Callable[..., list[list[float]]]:
    """Positions of slices at heights ``z`` (LPS mm)."""
    return lambda z: [[-14.0, -11.0, float(h)] for h in z]


@pytest.fixture
def assert_true_places() -> Callable[..., None]:
    """Checks that every voxel (or those in ``where``) holds the HU of its place in the patient."""

    def check(volume, *, tolerance: float = 0.51, where: np.ndarray | None = None) -> None:
        off = np.abs(volume.array - hounsfield_at(places_of(volume)))
        if where is not None:
            off = off[where]
        assert off.max() <= tolerance, f"worst {off.max():.2f} HU"

    return check


def places_of(volume) -> np.ndarray:
    """LPS mm of every voxel's centre, shape (x, y, z, 3)."""
    index = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij"), axis=-1)
    return (index @ volume.affine[:3, :3].T + volume.affine[:3, 3]) * [-1, -1, 1]


@pytest.fixture
def lps_places() -> Callable[..., np.ndarray]:
    """`places_of` for tests."""
    return places_of


@pytest.fixture
def enhanced_ct() -> Callable[[Path, Sequence[float]], Path]:
    """Writes one multi-frame Enhanced CT file with frames at the given heights."""

    def write(path: Path, heights: Sequence[float]) -> Path:
        orientation, spacing = (1, 0, 0, 0, 1, 0), (1.5, 1.25)
        ds = plain_dataset(ENHANCED_CT)
        ds.SeriesInstanceUID, ds.SeriesNumber = generate_uid(), 7
        ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
        shared, measures, plane = Dataset(), Dataset(), Dataset()
        measures.PixelSpacing, measures.SliceThickness = list(spacing), 5.0
        plane.ImageOrientationPatient = list(map(float, orientation))
        shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
        ds.SharedFunctionalGroupsSequence = [shared]
        frames, pixels = [], []
        for k, height in enumerate(heights):
            group, place, rescale = Dataset(), Dataset(), Dataset()
            place.ImagePositionPatient = [-14.0, -11.0, float(height)]
            rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = 1.0, -1000.0 - k, "HU"
            group.PlanePositionSequence, group.PixelValueTransformationSequence = [place], [rescale]
            frames.append(group)
            values = slice_values(np.array(place.ImagePositionPatient, dtype=float), orientation, spacing, (20, 24))
            pixels.append(np.rint(values + 1000 + k))
        ds.PerFrameFunctionalGroupsSequence = frames
        ds.NumberOfFrames = len(frames)
        put_pixels(ds, np.array(pixels))
        ds.save_as(path, write_like_original=False)
        return path

    return write


@pytest.fixture
def d2n(public_data, tmp_path) -> Path:
    """Series that make loaders fail, unpacked."""
    with tarfile.open(public_data / "d2n_loader_failures" / "d2n_cases.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "d2n"


@pytest.fixture
def philips(public_data, tmp_path) -> Path:
    """The Philips phantom study, unpacked."""
    with tarfile.open(public_data / "philips_phantom_study" / "philips_phantom_study.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "ph"


@pytest.fixture
def headers() -> Callable[[Path], list[Dataset]]:
    """All slices of a flat folder, sorted by their position along z."""

    def read(folder: Path) -> list[Dataset]:
        return sorted(map(pydicom.dcmread, folder.iterdir()), key=lambda d: float(d.ImagePositionPatient[2]))

    return read
