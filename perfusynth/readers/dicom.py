"""A DICOM folder to one volume on an even orthogonal grid."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress
from perfusynth.readers.dicom_geometry import StackGeometry
from perfusynth.readers.dicom_headers import Slice, read_headers, slices_of
from perfusynth.readers.dicom_pixels import read_pixels
from perfusynth.readers.dicom_series import choose
from perfusynth.readers.loaded import Loaded
from perfusynth.volumes.memory_order import to_c_order
from perfusynth.volumes.regrid import regrid_stack
from perfusynth.volumes.volume import Volume


def read_folder(folder: Path, on_progress: OnProgress) -> Loaded:
    """Read the NCCT out of a folder with subfolders; see `perfusynth.readers.dicom_series.choose` for which."""
    return load_images(*images_of_folder(folder), on_progress)


def read_single_file(path: Path, on_progress: OnProgress) -> Loaded:
    """Read one multi-frame file; a single slice out of a folder is refused."""
    return load_images(images_of_file(path), 0, on_progress)


def images_of_folder(folder: Path) -> tuple[list[Slice], int]:
    """Headers of all images in a folder with subfolders, at least one, and how many files were damaged.

    Raises
    ------
    InputError
        Code ``no_images``.
    """
    slices, damaged = read_headers(folder)
    if not slices:
        raise InputError(
            "There are no DICOM images here.",
            expected="a folder with the slices of a head CT",
            got=f"{damaged} damaged files" if damaged else "no DICOM image in it or its subfolders",
            hint="Give the folder that holds the series; a NIfTI or NRRD scan is given as a file.",
            code="no_images",
        )
    return slices, damaged


def images_of_file(path: Path) -> list[Slice]:
    """Headers of the frames of one multi-frame file.

    Raises
    ------
    InputError
        Code ``single_slice``: the file holds one image, or none.
    """
    try:
        slices = slices_of(path)
    except InputError:
        raise
    except Exception:  # pydicom raises whatever a damaged file happens to trigger
        slices = []
    if len(slices) < 2:
        raise InputError(
            "One DICOM file is one slice, not a scan.",
            expected="the folder (or a zip of it) with all slices of the series",
            got="a single image" if slices else "a DICOM file without an image, or a damaged one",
            hint="Give the folder that this file lies in.",
            code="single_slice",
        )
    return slices


def what_to_tell(slices: Sequence[Slice], damaged: int) -> list[str]:
    """Notes on the headers of the slices that are read, and on files that could not be."""
    notes = []
    if damaged:
        notes.append(f"{damaged} damaged DICOM {'file was' if damaged == 1 else 'files were'} passed over.")
    first = slices[0].acquisition
    if "DERIVED" in first.image_type:
        notes.append("The series calls itself derived: it may have been processed after the scan.")
    if first.modality == "CT" and any(s.slope is None or s.intercept is None for s in slices):
        notes.append("The series has no rescale slope and intercept: its values were taken as HU.")
    return notes


def load_images(slices: Sequence[Slice], damaged: int, on_progress: OnProgress) -> Loaded:
    """Read the NCCT among images of one patient; ``damaged``: how many files beside them could not be read.

    Raises
    ------
    InputError
        As of `choose`; ``bad_pixels``, ``too_large``.
    """
    chosen = choose(slices)
    geometry = chosen.geometry
    notes = [*chosen.notes, *geometry.notes, *what_to_tell(geometry.slices, damaged)]
    first = geometry.slices[0].acquisition
    pixels = to_c_order(read_pixels(geometry.slices, on_progress))
    native = Volume(pixels, geometry.affine)
    volume = native if geometry.even else _resampled(native, geometry)
    acquisition = first
    if first.gantry_tilt_deg is None and not geometry.even:
        acquisition = replace(first, gantry_tilt_deg=round(geometry.tilt_deg, 2))
    return Loaded(volume, native, acquisition, not geometry.even, tuple(notes))


def _resampled(native: Volume, geometry: StackGeometry) -> Volume:
    return regrid_stack(native.array, geometry.positions, geometry.step_x, geometry.step_y, geometry.spacing_mm)
