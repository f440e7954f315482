"""NRRD files, as 3D Slicer writes them: header by pynrrd, voxels with bounded memory, LPS or LAS to RAS once."""

import bz2
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth.errors import InputError
from perfusynth.volumes.limits import check_voxel_count
from perfusynth.volumes.memory_order import to_c_order
from perfusynth.volumes.volume import Volume

#: Most bytes of a header; 3D Slicer's have 500, a DWI's list of gradients some 10 kB.
MAX_HEADER_BYTES = 2**20
#: Sign of each world axis that takes a space to RAS; other spaces do not say left from right.
TO_RAS = {
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
}


def read_nrrd(path: Path) -> Volume:
    """Read an NRRD file (``.nrrd``, or ``.nhdr`` with its data file in the same folder), raw, gzip or bzip2.

    Returns
    -------
    The volume in its stored order, float32, affine in RAS+ mm, without header.

    Raises
    ------
    InputError
        The file is damaged, too large (checked before its voxels are read), holds vectors or several volumes, NaN, or
        does not say where it lies in the patient.
    """
    header, content = _split(path)
    sizes = _sizes(header)
    directions, origin = _geometry(header)
    dtype = _value_type(header)
    wanted = math.prod(sizes) * dtype.itemsize
    voxels = _unpack(str(header.get("encoding", "raw")).lower(), content, wanted)
    if len(voxels) < wanted:
        raise _damaged(f"{wanted} bytes of voxels, as its header says", f"{len(voxels)} bytes")
    array = np.frombuffer(voxels, dtype=dtype, count=math.prod(sizes)).reshape(sizes, order="F")
    with np.errstate(over="ignore"):
        array = to_c_order(array, np.float32)
    if not np.isfinite(array).all():
        raise InputError(
            "The image contains values that are no numbers.",
            expected="finite voxel values",
            got=f"{int((~np.isfinite(array)).sum())} voxels with NaN or infinity",
            hint="Export the scan again, with a number for air outside the field of view.",
            code="not_finite",
        )
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = directions.T, origin
    signs = TO_RAS[str(header["space"]).lower()]
    return Volume(array, np.diag([*map(float, signs), 1.0]) @ affine)


def _split(path: Path) -> tuple[dict[str, Any], bytes]:
    import nrrd

    content = path.read_bytes()
    end, gap = min(
        ((content.find(mark), len(mark)) for mark in (b"\n\n", b"\r\n\r\n") if mark in content),
        default=(len(content), 0),
    )
    if end > MAX_HEADER_BYTES:
        raise _damaged("a header that ends with an empty line", "none")
    lines = [line + b"\n" for line in content[:end].splitlines()]
    try:
        header = dict(nrrd.read_header(lines))
    except (nrrd.NRRDError, ValueError, TypeError, IndexError, StopIteration) as fault:
        raise _damaged("an NRRD header", type(fault).__name__) from None
    if any(header.get(key) not in (None, 0) for key in ("line skip", "lineskip", "byte skip", "byteskip")):
        raise _damaged("voxels right after the header", "a header that skips lines or bytes")
    detached = header.get("data file", header.get("datafile"))
    if detached is None:
        return header, content[end + gap :]
    name = str(detached)
    beside = path.parent / name
    # A header that strangers sent must not name files elsewhere on this machine.
    if Path(name).name != name or not beside.is_file() or beside.is_symlink():
        raise _damaged(
            "the data file beside the header", "a header that names another place, a list, or a missing file"
        )
    return header, beside.read_bytes()


def _sizes(header: dict[str, Any]) -> tuple[int, int, int]:
    sizes = [int(n) for n in header.get("sizes", ())]
    if len(sizes) != 3 or min(sizes) < 1:
        raise InputError(
            "The image is not a 3-D volume.",
            expected="three dimensions of at least one voxel each",
            got=f"sizes {sizes}",
            hint="Give the scan as one scalar 3-D volume, not a series, a colour image or a vector field.",
            code="not_3d",
        )
    check_voxel_count(sizes)
    return sizes[0], sizes[1], sizes[2]


def _geometry(header: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    space = str(header.get("space", "")).lower()
    try:
        directions = np.asarray(header.get("space directions"), dtype=float)
        origin = np.asarray(header.get("space origin", np.full(3, np.nan)), dtype=float)
    except (TypeError, ValueError):
        directions = origin = np.empty(0)
    complete = directions.shape == (3, 3) and origin.shape == (3,)
    if space not in TO_RAS or not complete or not np.isfinite(directions).all() or not np.isfinite(origin).all():
        raise InputError(
            "The image does not say where it lies in the patient, so that left and right are unknown.",
            expected="an NRRD header with space (RAS, LAS or LPS), space directions and space origin",
            got=f"space '{space[:40]}'" if space else "no space",
            hint="Save the scan from 3D Slicer again, or convert it from DICOM.",
            code="no_orientation",
        )
    return directions, origin


def _value_type(header: dict[str, Any]) -> np.dtype:
    from nrrd.reader import NRRDError, _determine_datatype

    try:
        dtype = _determine_datatype(header)
    except (NRRDError, KeyError, TypeError):
        dtype = None
    if dtype is None or dtype.kind not in "iuf":
        raise InputError(
            "The voxels are not plain numbers.",
            expected="integer or float voxels with their byte order",
            got=f"type '{str(header.get('type', ''))[:40]}'",
            hint="Save the scan as short or float.",
            code="unsupported_type",
        )
    return dtype


def _unpack(encoding: str, content: bytes, wanted: int) -> bytes:
    """Voxels, at most ``wanted`` bytes: what a bomb would unpack beyond that is never made."""
    try:
        if encoding in ("gzip", "gz"):
            return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(content, wanted)
        if encoding in ("bzip2", "bz2"):
            return bz2.BZ2Decompressor().decompress(content, wanted)
    except (zlib.error, OSError, EOFError):
        raise _damaged("a complete compressed stream", "a damaged one") from None
    if encoding == "raw":
        return content[:wanted]
    raise _damaged("encoding raw, gzip or bzip2", f"encoding '{encoding[:20]}'")


def _damaged(expected: str, got: str) -> InputError:
    return InputError(
        "The NRRD file cannot be read.",
        expected=expected,
        got=got,
        hint="Save the scan as NRRD from 3D Slicer again.",
        code="bad_nrrd",
    )
