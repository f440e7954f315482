"""What a NIfTI file holds before it is an image: header and stored voxels, with every doubt refused."""

import gzip
import io
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np

from perfusynth.errors import InputError

#: Deflate cannot pack better than this (zlib's technical note: 1032:1), so that a header which claims more is false.
MAX_DEFLATE_RATIO = 1032
#: Most bytes between header and voxels (NIfTI extensions; a DICOM header kept as one has some 10 kB).
MAX_EXTENSION_BYTES = 64 * 2**20
#: Value types that hold an image of scalars.
SCALAR_KINDS = "iuf"
#: Bytes unpacked at a time, so that a series is in memory once.
CHUNK_BYTES = 4 * 2**20


def read_stored(
    path: Path, shape_of: Callable[[nib.Nifti1Header], tuple[int, ...]]
) -> tuple[nib.Nifti1Header, np.ndarray]:
    """Read header and voxels of a NIfTI-1 or NIfTI-2 file, gzipped or not, whatever it is called.

    Parameters
    ----------
    shape_of
        Checks the dimensions in the header (sizes, limits) before any voxel is read, and returns the shape to read.

    Returns
    -------
    The file's own header, and the voxels as stored (Fortran order, no slope and intercept applied).

    Raises
    ------
    InputError
        Codes ``file_missing``, ``empty_file``, ``not_nifti``, ``truncated_file``, ``unsupported_type``; what
        ``shape_of`` raises.
    """
    raw_size = _size_of(path)
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = cast(io.BufferedIOBase, gzip.GzipFile(fileobj=file)) if packed else file
        try:
            header = _read_header(stream)
            shape, dtype = shape_of(header), _scalar_type(header)
            wanted = math.prod(shape) * dtype.itemsize
            offset = _voxel_offset(header)
            if offset + wanted > raw_size * (MAX_DEFLATE_RATIO if packed else 1):
                raise _truncated(wanted, f"a file of {raw_size} bytes")
            stream.seek(offset)
            content = np.empty(wanted, dtype=np.uint8)
            found = _read_into(stream, content)
            if found == wanted:
                stream.read(1)  # reaches the end of a gzip file, where its checksum is compared
        except (EOFError, zlib.error, OSError) as fault:
            raise _truncated(None, "a damaged gzip stream" if packed else type(fault).__name__) from None
    if found != wanted:
        raise _truncated(wanted, f"{found} bytes")
    return header, content.view(dtype).reshape(shape, order="F")


def _read_into(stream: io.BufferedIOBase, content: np.ndarray) -> int:
    view, found = memoryview(content.data), 0
    while found < len(view) and (count := stream.readinto(view[found : found + CHUNK_BYTES])):
        found += count
    return found


def sizes_of(header: nib.Nifti1Header) -> list[int]:
    """The dimensions that the header names, at least three of at least one voxel each.

    Raises
    ------
    InputError
        Code ``not_3d``.
    """
    dims = [int(n) for n in header["dim"]]
    sizes = dims[1 : dims[0] + 1] if 1 <= dims[0] <= 7 else []
    if len(sizes) < 3 or min(sizes) < 1:
        raise InputError(
            "The image is not a 3-D volume.",
            expected="three dimensions of at least one voxel each",
            got=f"dimensions {sizes or dims[0]}",
            hint="Give the whole scan as one 3-D volume.",
            code="not_3d",
        )
    return sizes


def slope_and_intercept(header: nib.Nifti1Header) -> tuple[float | None, float | None]:
    """What takes stored values to real ones; ``None`` where they are the same, NaN where the header is damaged."""
    try:
        return header.get_slope_inter()
    except nib.spatialimages.HeaderDataError:
        return np.nan, np.nan


def not_finite(count: int) -> InputError:
    """The refusal of an image with ``count`` voxels that are no numbers."""
    return InputError(
        "The image contains values that are no numbers.",
        expected="finite voxel values",
        got=f"{count} voxels with NaN or infinity",
        hint="Export the scan again, with a number for air outside the field of view.",
        code="not_finite",
    )


def affine_of(header: nib.Nifti1Header) -> np.ndarray:
    """Where the header puts its voxels, 4x4 to RAS+ mm; NaN where the form it names is damaged.

    Raises
    ------
    InputError
        Code ``no_orientation``: neither sform nor qform.
    """
    if not (int(header["sform_code"]) or int(header["qform_code"])):
        raise InputError(
            "The image does not say where it lies in the patient, so that left and right are unknown.",
            expected="a NIfTI header with sform or qform",
            got="sform_code 0 and qform_code 0",
            hint="Convert the scan from DICOM again, with a converter that keeps the orientation.",
            code="no_orientation",
        )
    try:
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    except (nib.spatialimages.HeaderDataError, ValueError):
        affine = np.full((4, 4), np.nan)  # refused by Volume with the code bad_affine
    unit = header.get_xyzt_units()[0]
    if unit in ("meter", "micron"):
        affine[:3] *= {"meter": 1e3, "micron": 1e-3}[unit]
    return affine


def _size_of(path: Path) -> int:
    size = path.stat().st_size if path.is_file() else None
    if not size:
        raise InputError(
            "There is no image in this file.",
            expected="a NIfTI file",
            got="no file at this path" if size is None else "an empty file",
            hint="Check the path, or export the scan again.",
            code="file_missing" if size is None else "empty_file",
        )
    return size


def _read_header(stream: io.BufferedIOBase) -> nib.Nifti1Header:
    block = stream.read(nib.Nifti2Header.sizeof_hdr)
    for kind in (nib.Nifti1Header, nib.Nifti2Header):
        start = block[: kind.sizeof_hdr]
        if len(start) == kind.sizeof_hdr and kind.may_contain_header(start):
            header = kind(start, check=False)
            if bytes(header["magic"].tobytes()).rstrip(b"\0") == kind.single_magic:
                return header
            raise _not_nifti("a header without its voxels (.hdr and .img)", "Save the pair as one .nii or .nii.gz.")
    raise _not_nifti("a file without a NIfTI header", "Give a .nii or .nii.gz file, an NRRD file or a DICOM folder.")


def _not_nifti(got: str, hint: str) -> InputError:
    return InputError(
        "This is not a NIfTI volume.", expected="a NIfTI-1 or NIfTI-2 file", got=got, hint=hint, code="not_nifti"
    )


def _truncated(wanted: int | None, got: str) -> InputError:
    return InputError(
        "The file is damaged or cut off.",
        expected="a complete image" if wanted is None else f"{wanted} bytes of voxels, as its header says",
        got=got,
        hint="Copy or export the scan again.",
        code="truncated_file",
    )


def _scalar_type(header: nib.Nifti1Header) -> np.dtype:
    try:
        dtype = header.get_data_dtype()
    except (nib.spatialimages.HeaderDataError, KeyError):
        dtype = None
    if dtype is None or dtype.kind not in SCALAR_KINDS or dtype.itemsize > 8:
        raise InputError(
            "The voxels are not plain numbers.",
            expected="integer or float voxels (up to 64 bits)",
            got=f"NIfTI data type {int(header['datatype'])}" + (f" ({dtype})" if dtype is not None else ""),
            hint="Save the scan as int16 or float32; colour and complex images cannot be used.",
            code="unsupported_type",
        )
    return dtype


def _voxel_offset(header: nib.Nifti1Header) -> int:
    offset = float(header["vox_offset"])
    if not np.isfinite(offset) or offset > MAX_EXTENSION_BYTES:
        raise _truncated(None, f"a header that puts its voxels at byte {offset:.0f}")
    return max(int(offset), header.single_vox_offset)
