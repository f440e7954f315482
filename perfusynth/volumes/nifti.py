"""NIfTI files: read with every doubt refused, written quickly and on exactly the grid they came with."""

import gzip
import math
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, cast

import nibabel as nib
import numpy as np

from perfusynth import __version__
from perfusynth.atomic import write_bytes
from perfusynth.errors import InputError
from perfusynth.volumes.limits import check_voxel_count
from perfusynth.volumes.memory_order import to_c_order, to_fortran_order
from perfusynth.volumes.volume import Volume

#: Deflate cannot pack better than this (zlib's technical note: 1032:1), so that a header which claims more is false.
MAX_DEFLATE_RATIO = 1032
#: Most bytes between header and voxels (NIfTI extensions; a DICOM header kept as one has some 10 kB).
MAX_EXTENSION_BYTES = 64 * 2**20
#: Largest distance (mm) between the places where sform and qform put a corner that is not worth telling.
FORM_TOLERANCE_MM = 0.1
#: Value types that hold an image of scalars.
SCALAR_KINDS = "iuf"
#: zlib's run-length strategy: on maps, which are mostly zero, it packs as well as level 1 does in half the time.
GZIP_LEVEL, GZIP_STRATEGY = 1, zlib.Z_RLE
#: A gzip member (RFC 1952) without name and time, so that equal volumes give equal bytes.
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
#: Slices that one thread turns and packs at a time; slabs end on a byte (sync flush) and are joined to one stream.
SLAB_SLICES = 8


def read_nifti(path: Path) -> Volume:
    """Read a NIfTI-1 or NIfTI-2 file, gzipped or not, whatever it is called.

    Returns
    -------
    The volume in its stored order, float32 with slope and intercept applied, affine in RAS+ mm; a 4-D file of one
    frame is squeezed. ``header`` is the file's own.

    Raises
    ------
    InputError
        The file is missing, empty, cut off, no NIfTI, too large (checked before its voxels are read), of a type that
        is no scalar, has several frames, NaN or infinity, or no position in the patient.
    """
    raw_size = _size_of(path)
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file
        try:
            header = _read_header(stream)
            shape, dtype = _shape(header), _scalar_type(header)
            wanted = math.prod(shape) * dtype.itemsize
            offset = _voxel_offset(header)
            if offset + wanted > raw_size * (MAX_DEFLATE_RATIO if packed else 1):
                raise _truncated(wanted, f"a file of {raw_size} bytes")
            stream.seek(offset)
            content = stream.read(wanted)
            if len(content) == wanted:
                stream.read(1)  # reaches the end of a gzip file, where its checksum is compared
        except (EOFError, zlib.error, OSError) as fault:
            raise _truncated(None, "a damaged gzip stream" if packed else type(fault).__name__) from None
    if len(content) != wanted:
        raise _truncated(wanted, f"{len(content)} bytes")
    stored = np.frombuffer(content, dtype=dtype).reshape(shape, order="F")
    return Volume(_scaled(stored, header), _affine(header), header)


def write_nifti(
    path: Path,
    volume: Volume,
    like: Volume | None = None,
    dtype: Any = np.float32,
    *,
    description: str = f"perfusynth {__version__}",
) -> None:
    """Write a volume as NIfTI, gzipped (level 1) when ``path`` ends in ``.gz``; the file appears whole, by rename.

    Parameters
    ----------
    path
        Where to write.
    volume
        Values to write, shape (x, y, z).
    like
        The volume whose header is copied (it must have the same grid); by default ``volume`` itself. The affine, sform
        and qform with their codes are then bit-equal to those that were read. Without a header a new one is made.
    dtype
        Type on disk; values are rounded for integers. Slope and intercept are reset.
    description
        What the image is, ASCII; at most 79 characters are kept.
    """
    if like is not None and (like.shape != volume.shape or not np.array_equal(like.affine, volume.affine)):
        raise ValueError(f"expected the grid of `like` {like.shape}, got {volume.shape} or another affine")
    header = _header_for(volume, (like or volume).header)
    header.set_data_dtype(np.dtype(dtype))
    header.set_slope_inter(1, 0)
    header["descrip"] = description.encode("ascii", "replace")[:79]
    header["vox_offset"] = header.single_vox_offset
    header["magic"] = header.single_magic
    # Four bytes after the header: no extensions follow.
    content = header.binaryblock + bytes(header.single_vox_offset - header.sizeof_hdr)
    slabs = [volume.array[:, :, z : z + SLAB_SLICES] for z in range(0, volume.shape[2], SLAB_SLICES)]
    packed = path.name.endswith(".gz")

    def stored(slab: np.ndarray) -> tuple[np.ndarray, bytes]:
        plain = to_fortran_order(_stored(slab, np.dtype(dtype))).reshape(-1, order="F").view(np.uint8)
        return plain, _deflated(plain.data, zlib.Z_SYNC_FLUSH) if packed else b""

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:  # numpy and zlib let go of the interpreter
        parts = list(pool.map(stored, slabs))
    if not packed:
        write_bytes(path, content + b"".join(plain.tobytes() for plain, _ in parts))
        return
    checksum, size = zlib.crc32(content), len(content)
    for plain, _ in parts:
        checksum, size = zlib.crc32(plain.data, checksum), size + plain.size
    body = [_deflated(content, zlib.Z_SYNC_FLUSH), *(deflated for _, deflated in parts), _deflated(b"", zlib.Z_FINISH)]
    write_bytes(path, GZIP_HEADER + b"".join(body) + struct.pack("<II", checksum, size % 2**32))


def form_disagreement(header: nib.Nifti1Header) -> str | None:
    """Say so when sform and qform are both set and put the volume at two places; the sform is what is used."""
    if not (int(header["sform_code"]) and int(header["qform_code"])):
        return None
    try:
        sform, qform = header.get_sform(), header.get_qform()
    except (nib.spatialimages.HeaderDataError, ValueError):
        return "The qform of the NIfTI header is damaged; the sform was used."
    end = np.array([*header.get_data_shape()[:3], 1.0])
    apart = max(float(np.linalg.norm(((sform - qform) @ point)[:3])) for point in (np.array([0, 0, 0, 1.0]), end))
    if apart <= FORM_TOLERANCE_MM:
        return None
    return f"sform and qform of the NIfTI header disagree by {apart:.1f} mm; the sform was used."


def check_left_right(header: nib.Nifti1Header) -> None:
    """Refuse a header whose sform and qform, both set, take opposite sides for the patient's right.

    Viewers differ in which of the two they follow: a map would be shown on one side and its report name the other.

    Raises
    ------
    InputError
        Code ``contradictory_sides``.
    """
    if not (int(header["sform_code"]) and int(header["qform_code"])):
        return
    try:
        forms = [np.asarray(form)[:3, :3] for form in (header.get_sform(), header.get_qform())]
    except (nib.spatialimages.HeaderDataError, ValueError):
        return  # told by `form_disagreement`
    right = [form[0] / np.maximum(np.linalg.norm(form, axis=0), 1e-12) for form in forms]
    if float(right[0] @ right[1]) < 0:
        raise InputError(
            "The two positions in the NIfTI header contradict each other on which side is the patient's left.",
            expected="sform and qform that agree on left and right",
            got="forms that put right on opposite sides",
            hint="Convert the scan from DICOM again, or delete the form that is wrong.",
            code="contradictory_sides",
        )


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


def _read_header(stream: IO[bytes]) -> nib.Nifti1Header:
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


def _shape(header: nib.Nifti1Header) -> tuple[int, int, int]:
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
    if math.prod(sizes[3:]) != 1:
        raise InputError(
            "The file holds several volumes.",
            expected="one 3-D volume",
            got=f"{math.prod(sizes[3:])} frames of {sizes[0]} x {sizes[1]} x {sizes[2]}",
            hint="Save the one frame that is meant as a file of its own.",
            code="several_frames",
        )
    check_voxel_count(sizes)
    return sizes[0], sizes[1], sizes[2]


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


def _scaled(stored: np.ndarray, header: nib.Nifti1Header) -> np.ndarray:
    try:
        slope, intercept = header.get_slope_inter()
    except nib.spatialimages.HeaderDataError:
        slope, intercept = np.nan, np.nan
    # int16 and smaller are exact in float32; wider types are scaled in float64 first.
    exact = slope is None or (stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2)
    with np.errstate(over="ignore", invalid="ignore"):
        values = to_c_order(stored, np.float32 if exact else np.float64)
        if slope is not None:
            np.multiply(values, values.dtype.type(slope), out=values)
            np.add(values, values.dtype.type(intercept), out=values)
        values = values.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise InputError(
            "The image contains values that are no numbers.",
            expected="finite voxel values",
            got=f"{int((~np.isfinite(values)).sum())} voxels with NaN or infinity",
            hint="Export the scan again, with a number for air outside the field of view.",
            code="not_finite",
        )
    return values


def _affine(header: nib.Nifti1Header) -> np.ndarray:
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


def _header_for(volume: Volume, source: nib.Nifti1Header | None) -> nib.Nifti1Header:
    """A header with ``volume``'s shape that puts it where its affine says; a copy of ``source`` when that agrees."""
    placed = source is not None and (int(source["sform_code"]) or int(source["qform_code"]))
    if source is not None and placed and np.array_equal(_affine(source), volume.affine):
        header = source.as_byteswapped("<")
        header.set_data_shape(volume.shape)
        # What described the old voxels, or may carry a name.
        for field in ("cal_min", "cal_max", "intent_code", "intent_p1", "intent_p2", "intent_p3"):
            header[field] = 0
        for field in ("intent_name", "aux_file", "db_name", "data_type"):
            if field in header:
                header[field] = b""
        return header
    header = nib.Nifti1Header()
    header.set_data_shape(volume.shape)
    header.set_xyzt_units("mm", "sec")
    header.set_qform(volume.affine, code=1, strip_shears=True)
    header.set_sform(volume.affine, code=1)
    return header


def _deflated(content: bytes | memoryview, end: int) -> bytes:
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, 9, GZIP_STRATEGY)
    return packer.compress(content) + packer.flush(end)


def _stored(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        array = np.rint(array)
        if array.min() < limits.min or array.max() > limits.max:
            raise ValueError(f"expected values within {dtype}, got {array.min()} to {array.max()}")
    return array.astype(dtype.newbyteorder("<"), copy=False)
