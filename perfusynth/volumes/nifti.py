"""NIfTI files: read with every doubt refused, written quickly and on exactly the grid they came with."""

import math
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from perfusynth import __version__
from perfusynth.atomic import write_bytes
from perfusynth.errors import InputError
from perfusynth.volumes.limits import check_voxel_count
from perfusynth.volumes.memory_order import to_c_order, to_fortran_order
from perfusynth.volumes.nifti_stored import affine_of, not_finite, read_stored, sizes_of, slope_and_intercept
from perfusynth.volumes.volume import Volume

#: Largest distance (mm) between the places where sform and qform put a corner that is not worth telling.
FORM_TOLERANCE_MM = 0.1
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
    header, stored = read_stored(path, _shape)
    return Volume(_scaled(stored, header), affine_of(header), header)


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


def _shape(header: nib.Nifti1Header) -> tuple[int, int, int]:
    sizes = sizes_of(header)
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


def _scaled(stored: np.ndarray, header: nib.Nifti1Header) -> np.ndarray:
    slope, intercept = slope_and_intercept(header)
    # int16 and smaller are exact in float32; wider types are scaled in float64 first.
    exact = slope is None or (stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2)
    with np.errstate(over="ignore", invalid="ignore"):
        values = to_c_order(stored, np.float32 if exact else np.float64)
        if slope is not None:
            np.multiply(values, values.dtype.type(slope), out=values)
            np.add(values, values.dtype.type(intercept), out=values)
        values = values.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise not_finite(int((~np.isfinite(values)).sum()))
    return values


def _header_for(volume: Volume, source: nib.Nifti1Header | None) -> nib.Nifti1Header:
    """A header with ``volume``'s shape that puts it where its affine says; a copy of ``source`` when that agrees."""
    placed = source is not None and (int(source["sform_code"]) or int(source["qform_code"]))
    if source is not None and placed and np.array_equal(affine_of(source), volume.affine):
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
