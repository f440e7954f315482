"""The headers of DICOM images: one `Slice` an image (or a frame of an enhanced one), nothing of who the patient is."""

import hashlib
import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfusynth.errors import InputError
from perfusynth.readers.dicom_times import TIME_TAGS, ImageTimes, times_of
from perfusynth.volumes.acquisition import Acquisition

#: Most files in a folder: several thin series of one study have 4,000; a whole archive must not be read by mistake.
MAX_DICOM_FILES = 20_000
#: Most frames of one multi-frame image: a perfusion study of 320 slices at 20 times, or 64 at 100.
MAX_FRAMES = 6400
#: Bytes of a deflated or odd file in front of "DICM".
PREAMBLE_BYTES = 132
#: What is read of each file: no names; times only to order the frames of a series.
TAGS = [
    *TIME_TAGS,
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
    "AcquisitionNumber",
    "PatientID",
    "Modality",
    "ImageType",
    "BurnedInAnnotation",
    "BodyPartExamined",
    "SeriesDescription",
    "ContrastBolusAgent",
    "ConvolutionKernel",
    "SliceThickness",
    "GantryDetectorTilt",
    "PatientPosition",
    "Manufacturer",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "NumberOfFrames",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "RescaleSlope",
    "RescaleIntercept",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]


@dataclass(frozen=True)
class Slice:
    """One image plane: where its pixels are stored and where it lies (DICOM's LPS+, mm)."""

    path: Path = field(repr=False)
    frame: int | None
    patient: str = field(repr=False)  # hash of the ID: only compared, never shown
    study_uid: str
    series_uid: str
    series_number: int | None
    sop_instance_uid: str
    instance_number: int
    acquisition_number: int
    rows: int
    columns: int
    samples: int
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None
    slope: float | None
    intercept: float | None
    acquisition: Acquisition
    times: ImageTimes = field(default=ImageTimes(), repr=False)
    burned_in: bool = False  # the header says that the pixels show who the patient is


def read_headers(folder: Path) -> tuple[list[Slice], int]:
    """Headers of every image below ``folder`` (files that are no DICOM images are passed over).

    Returns
    -------
    Slices in the order of their file names, and how many DICOM files were damaged.
    """
    slices: list[Slice] = []
    damaged = 0
    for path in dicom_files(folder, MAX_DICOM_FILES):
        try:
            slices += slices_of(path)
        except InputError:
            raise
        except Exception:  # pydicom raises whatever a damaged file happens to trigger
            damaged += 1
    return slices, damaged


def slices_of(path: Path) -> list[Slice]:
    """The image planes of one DICOM file; empty for files without an image (directories, reports)."""
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom tells of small faults that do not matter here
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=TAGS, force=True)
    if not dataset.get("Rows") or not dataset.get("Columns"):
        return []
    if "PerFrameFunctionalGroupsSequence" in dataset:
        frames = dataset.PerFrameFunctionalGroupsSequence
        if len(frames) > MAX_FRAMES:
            raise InputError(
                "The multi-frame image has too many frames.",
                expected=f"at most {MAX_FRAMES} frames",
                got=f"{len(frames)} frames",
                hint="Give one series alone.",
                code="too_large",
            )
        shared = (dataset.get("SharedFunctionalGroupsSequence") or [None])[0]
        return [_slice(path, dataset, _Groups(frame, shared), k) for k, frame in enumerate(frames)]
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        return [_slice(path, dataset, _Groups(None, None), 0)]  # without positions: set aside later
    return [_slice(path, dataset, dataset, None)]


class _Groups:
    """Looks a value up in a frame's functional groups, then in the shared ones."""

    def __init__(self, frame: Any, shared: Any):
        self.items = [group for group in (frame, shared) if group is not None]

    def get(self, keyword: str) -> Any:
        for groups in self.items:
            for element in groups:
                if element.VR == "SQ" and element.value and keyword in element.value[0]:
                    return element.value[0].get(keyword)
        return None


def _slice(path: Path, dataset: Any, place: Any, frame: int | None) -> Slice:
    def text(keyword: str) -> str | None:
        value = dataset.get(keyword)
        return str(value).strip() or None if value is not None else None

    kernel = dataset.get("ConvolutionKernel") or (place.get("ConvolutionKernel") if frame is not None else None)
    acquisition = Acquisition(
        modality=text("Modality"),
        image_type=tuple(str(item).upper() for item in _as_list(dataset.get("ImageType"))),
        sop_class_uid=text("SOPClassUID"),
        body_part=text("BodyPartExamined"),
        series_description=text("SeriesDescription"),
        contrast_agent=text("ContrastBolusAgent"),
        convolution_kernel="\\".join(str(item) for item in _as_list(kernel)) or None,
        slice_thickness_mm=_number(place.get("SliceThickness")),
        gantry_tilt_deg=_number(dataset.get("GantryDetectorTilt")),
        patient_position=text("PatientPosition"),
        manufacturer=text("Manufacturer"),
    )
    return Slice(
        path=path,
        frame=frame,
        patient=hashlib.sha256((text("PatientID") or "").encode()).hexdigest() if text("PatientID") else "",
        study_uid=text("StudyInstanceUID") or "",
        series_uid=text("SeriesInstanceUID") or "",
        series_number=_whole(dataset.get("SeriesNumber")),
        sop_instance_uid=text("SOPInstanceUID") or "",
        instance_number=_whole(dataset.get("InstanceNumber")) or 0,
        acquisition_number=_whole(dataset.get("AcquisitionNumber")) or 0,
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        orientation=_numbers(place.get("ImageOrientationPatient"), 6),
        position=_numbers(place.get("ImagePositionPatient"), 3),
        pixel_spacing=_numbers(place.get("PixelSpacing"), 2),
        slope=_number(place.get("RescaleSlope")),
        intercept=_number(place.get("RescaleIntercept")),
        acquisition=acquisition,
        times=times_of(lambda keyword: _first(place.get(keyword), dataset.get(keyword))),
        burned_in=(text("BurnedInAnnotation") or "").upper() == "YES",
    )


def dicom_files(folder: Path, most: int) -> Iterator[Path]:
    """Every DICOM file below ``folder``, folder by folder in the order of their names.

    Raises
    ------
    InputError
        Code ``too_many_files``: there are more than ``most``.
    """
    found = 0
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if not _looks_like_dicom(path):
                continue
            found += 1
            if found > most:
                raise InputError(
                    "The folder holds more DICOM files than a study.",
                    expected=f"at most {most} files",
                    got="more than that",
                    hint="Give the folder of one study or one series.",
                    code="too_many_files",
                )
            yield path


def _looks_like_dicom(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            start = file.read(PREAMBLE_BYTES)
    except OSError:
        return False
    # Old files have no preamble and start with group 0008 (little or big endian).
    return start[128:] == b"DICM" or start[:2] == b"\x08\x00" or start[:4] == b"\x00\x08\x00\x00"


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _as_list(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) else list(value)


def _number(value: Any) -> float | None:
    numbers = _numbers([value], 1) if value not in (None, "") else None
    return numbers[0] if numbers else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """``count`` finite numbers, or ``None`` when the attribute is absent or malformed."""
    try:
        numbers = tuple(float(item) for item in value)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(math.isfinite(n) for n in numbers) else None
