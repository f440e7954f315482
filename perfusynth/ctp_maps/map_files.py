"""Maps of any program as files: read as they are, pictures refused, and brought to one grid or refused."""

import gzip
import zlib
from pathlib import Path

import numpy as np

from perfusynth.errors import InputError
from perfusynth.readers.nrrd_file import read_nrrd
from perfusynth.volumes.geometry import corners, nearest_ras, to_original_order
from perfusynth.volumes.nifti import check_left_right, form_disagreement, read_nifti
from perfusynth.volumes.volume import Volume

#: Largest distance between the corners of two grids that count as one, mm.
GRID_TOLERANCE_MM = 1e-3

#: First bytes of pictures: PNG, JPEG, BMP, TIFF, GIF.
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"GIF8")

#: NIfTI's types of three and four colours, as `read_nifti` names them.
COLOUR_TYPES = ("NIfTI data type 128 ", "NIfTI data type 2304 ")


def read_map(path: Path, name: str) -> tuple[Volume, tuple[str, ...]]:
    """Read a quantitative map: NIfTI or NRRD, known by its content.

    Nothing is clipped, padded or resampled: the numbers are no HU.

    Parameters
    ----------
    path
        The file.
    name
        What it is, for messages: ``Tmax map``.

    Returns
    -------
    The volume in its stored order, and what a reader must be told.

    Raises
    ------
    InputError
        Whatever `read_nifti` and `read_nrrd` refuse; codes ``colour_picture`` and ``not_a_map_file``.
    """
    path = Path(path)
    start = _start_of(path)
    if start.startswith(PICTURES):
        raise _colour_picture(name, "a picture file")
    if path.is_dir() or start[128:132] == b"DICM" or start[:2] == b"PK":
        raise InputError(
            f"The {name} is no file that can be read.",
            expected="a NIfTI or NRRD file",
            got="a folder" if path.is_dir() else "DICOM or a zip file",
            hint="Convert the map to NIfTI first; colour pictures are read by `perfusynth colours`.",
            code="not_a_map_file",
        )
    try:
        if start[:4] == b"NRRD":
            return read_nrrd(path), ()
        volume = read_nifti(path)
    except InputError as error:
        if error.code == "unsupported_type" and error.got.startswith(COLOUR_TYPES):
            raise _colour_picture(name, "a NIfTI image of colours") from None
        raise
    if volume.header is None:
        return volume, ()
    check_left_right(volume.header)
    disagreement = form_disagreement(volume.header)
    return volume, (disagreement,) if disagreement else ()


def on_grid_of(reference: Volume, other: Volume, name: str) -> Volume:
    """``other`` in the stored order of ``reference``, whose grid it must have.

    Raises
    ------
    InputError
        Code ``different_grids``, with how they differ.
    """
    there, here = nearest_ras(other), nearest_ras(reference)
    difference = _difference(here, there)
    if difference is not None:
        raise InputError(
            f"The {name} does not lie on the Tmax map's grid.",
            expected=f"one grid, {_shape(here)} voxels, corners within {GRID_TOLERANCE_MM:g} mm",
            got=difference,
            hint="Resample it onto the Tmax map (in 3D Slicer: Resample Scalar/Vector/DWI Volume), or export both "
            "from one series.",
            code="different_grids",
        )
    return reference.with_array(to_original_order(there.array, reference))


def _difference(here: Volume, there: Volume) -> str | None:
    """How two grids in nearest-RAS order differ, or ``None``."""
    if here.shape != there.shape:
        return f"{_shape(there)} voxels"
    apart = float(np.linalg.norm(corners(here.shape, here.affine) - corners(there.shape, there.affine), axis=1).max())
    if apart <= GRID_TOLERANCE_MM:
        return None
    if not np.allclose(here.spacing, there.spacing, atol=GRID_TOLERANCE_MM / max(here.shape)):
        sizes = [" x ".join(f"{s:.4g}" for s in volume.spacing) for volume in (there, here)]
        return f"voxels of {sizes[0]} mm instead of {sizes[1]} mm"
    turn = np.linalg.inv(here.affine[:3, :3] / here.spacing) @ (there.affine[:3, :3] / there.spacing)
    degrees = float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))
    if degrees > 0.01:
        return f"a grid turned by {degrees:.2f} degrees, corners up to {apart:.1f} mm apart"
    return f"a grid shifted by {apart:.3g} mm"


def _shape(volume: Volume) -> str:
    return " x ".join(str(n) for n in volume.shape)


def _start_of(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with open(path, "rb") as file:
        start = file.read(600)
    if start[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path, "rb") as stream:
                return stream.read(600)
        except (OSError, EOFError, zlib.error):
            return b""  # read_nifti says what is wrong with it
    return start


def _colour_picture(name: str, got: str) -> InputError:
    return InputError(
        f"The {name} is a picture of colours, not of numbers.",
        expected="a map whose voxels are numbers",
        got=got,
        hint="Read its numbers back with `perfusynth colours`, or export the quantitative map.",
        code="colour_picture",
    )
