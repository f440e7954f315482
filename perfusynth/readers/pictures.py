"""Colour pictures to arrays: PNG, JPEG, TIFF, BMP, a DICOM colour image, or a folder of either, slice by slice."""

import hashlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.readers.dicom_geometry import UnusableStackError, geometry_of
from perfusynth.readers.dicom_headers import Slice, slices_of
from perfusynth.volumes.limits import check_voxel_count

#: What Pillow may open; nothing else is tried, whatever a file calls itself.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
#: Formats that change colours; MPO is what cameras make of JPEG.
LOSSY_FORMATS = ("JPEG", "MPO")


@dataclass(frozen=True, eq=False)
class Pictures:
    """Colour pictures of one size.

    Parameters
    ----------
    rgb
        uint8 (slices, rows, columns, 3), first row at the top.
    kind
        ``picture`` or ``dicom``.
    lossy
        Stored with a compression that changes colours.
    sha256
        Of the files' bytes in the order of the slices.
    spacing_mm
        Column and row distance that DICOM states, else ``None``.
    affine
        Voxel (column, row, slice) to RAS+ mm where DICOM places an even stack, else ``None``.
    notes
        What a reader must be told; nothing in them identifies a patient.
    """

    rgb: np.ndarray
    kind: str
    lossy: bool
    sha256: str
    spacing_mm: tuple[float, float] | None
    affine: np.ndarray | None
    notes: tuple[str, ...]


def read_pictures(path: Path, *, on_progress: OnProgress = ignore_progress) -> Pictures:
    """Read a picture, or the pictures of a folder in the order of the numbers in their names (DICOM: of their places).

    Raises
    ------
    InputError
        Codes ``file_missing``, ``unknown_format``, ``no_images``, ``sizes_differ``, ``several_series``, ``bad_pixels``,
        ``not_colour`` and ``too_large``. No message holds a path or a name.
    Cancelled
        From ``on_progress``.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted((p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")), key=_natural)
        dicom = [p for p in files if _is_dicom(p)]
        pictures = [] if dicom else [p for p in files if _is_picture(p)]
        passed_over = len(files) - len(dicom) - len(pictures)
    elif path.is_file():
        dicom, pictures, passed_over = ([path], [], 0) if _is_dicom(path) else ([], [path], 0)
    else:
        raise InputError(
            "There is no picture here.",
            expected="a picture, a DICOM file or a folder of them",
            got="nothing at this path",
            hint="Check the path.",
            code="file_missing",
        )
    if not dicom and not pictures:
        raise InputError(
            "There are no pictures in this folder.",
            expected="PNG, JPEG, TIFF, BMP or DICOM colour images",
            got=f"{passed_over} other files",
            hint="Give the folder that holds the slices; its subfolders are not searched.",
            code="no_images",
        )
    notes = (f"{passed_over} files that are no pictures were passed over.",) if passed_over else ()
    return _read_dicom(dicom, notes, on_progress) if dicom else _read_plain(pictures, notes, on_progress)


def _read_plain(files: Sequence[Path], notes: tuple[str, ...], on_progress: OnProgress) -> Pictures:
    slices: list[np.ndarray] = []
    digest = hashlib.sha256()
    lossy = False
    for k, path in enumerate(files):
        on_progress("read", k / len(files))
        frames, changed = _plain_frames(path)
        slices += frames
        lossy |= changed
        digest.update(path.read_bytes())
    return Pictures(_stack(slices), "picture", lossy, digest.hexdigest(), None, None, notes)


def _plain_frames(path: Path) -> tuple[list[np.ndarray], bool]:
    from PIL import Image, ImageSequence

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                if image.mode not in ("RGB", "RGBA", "P", "PA", "L", "LA", "1", "CMYK", "YCbCr"):
                    raise _not_colour(f"pixels of type {image.mode}")
                lossy = image.format in LOSSY_FORMATS
                # JPEG as MPO holds previews beside the picture.
                pages = [image] if lossy else ImageSequence.Iterator(image)
                return [_over_black(page) for page in pages], lossy
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(
            "The picture is too large.",
            expected=f"at most {Image.MAX_IMAGE_PIXELS} pixels",
            got="more than that",
            hint="Crop it to the map.",
            code="too_large",
        ) from None
    except (OSError, ValueError, SyntaxError) as fault:
        raise InputError(
            "This file is no picture that can be read.",
            expected="PNG, JPEG, TIFF, BMP or a DICOM colour image",
            got=f"another kind of file, or a damaged one ({type(fault).__name__})",
            hint="Export the picture again in one of these formats.",
            code="unknown_format",
        ) from None


def _over_black(page: Any) -> np.ndarray:
    from PIL import Image

    image = page.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image))[..., :3].copy()


def _read_dicom(files: Sequence[Path], notes: tuple[str, ...], on_progress: OnProgress) -> Pictures:
    headers = [header for path in files for header in _headers(path)]
    if len({header.series_uid for header in headers}) > 1:
        raise InputError(
            "The folder holds more than one series.",
            expected="the slices of one map",
            got=f"{len({header.series_uid for header in headers})} series",
            hint="Put each map's slices into a folder of their own.",
            code="several_series",
        )
    affine = None
    ordered = sorted(headers, key=lambda header: header.instance_number)
    planes = {(header.orientation, header.pixel_spacing) for header in headers}
    if len(planes) == 1 and None not in next(iter(planes)) and all(header.position for header in headers):
        try:
            geometry = geometry_of(headers)
            if geometry.even:
                ordered, affine = list(geometry.slices), geometry.affine
        except UnusableStackError as fault:
            notes += (f"The slices' places in the patient were not used: {fault.reason}.",)
    slices: list[np.ndarray] = []
    digest = hashlib.sha256()
    lossy = False
    for k, header in enumerate(ordered):
        on_progress("read", k / len(ordered))
        frames, changed = _dicom_frames(header.path)
        slices += frames
        lossy |= changed
        digest.update(header.path.read_bytes())
    first = ordered[0].pixel_spacing
    spacing = (first[1], first[0]) if first and min(first) > 0 else None
    if len(slices) != len(ordered):
        affine = None  # several frames in a file: their places are not read
    return Pictures(_stack(slices), "dicom", lossy, digest.hexdigest(), spacing, affine, notes)


def _headers(path: Path) -> list[Slice]:
    try:
        # Frames of one file are read together: its first header stands for it.
        found = slices_of(path)[:1]
    except InputError:
        raise
    except Exception as fault:  # pydicom raises whatever a damaged file happens to trigger
        raise _bad_pixels(f"a damaged file ({type(fault).__name__})") from None
    if not found:
        raise _not_colour("a DICOM file without an image")
    return found


def _dicom_frames(path: Path) -> tuple[list[np.ndarray], bool]:
    import pydicom
    from pydicom.pixel_data_handlers.util import apply_color_lut, convert_color_space

    try:
        dataset = pydicom.dcmread(path)
        pixels = dataset.pixel_array
        colours = str(dataset.PhotometricInterpretation)  # after decoding: JPEG 2000 is RGB by now
        if colours == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, dataset)
            if pixels.dtype == np.uint16:
                pixels = (pixels >> 8).astype(np.uint8)
        elif colours.startswith("YBR"):
            pixels = convert_color_space(pixels, colours, "RGB")
    except Exception as fault:  # pydicom raises whatever a decoder happens to raise
        raise _bad_pixels(f"pixels that cannot be decoded ({type(fault).__name__})") from None
    if pixels.dtype != np.uint8 or pixels.shape[-1] != 3 or pixels.ndim not in (3, 4):
        raise _not_colour(f"{colours} pixels of type {pixels.dtype}")
    lossy = str(dataset.get("LossyImageCompression", "00")) == "01"
    return list(pixels.reshape(-1, *pixels.shape[-3:])), lossy


def _stack(slices: Sequence[np.ndarray]) -> np.ndarray:
    sizes = {picture.shape[1::-1] for picture in slices}
    if len(sizes) > 1:
        raise InputError(
            "The pictures differ in size.",
            expected="slices of one size",
            got=", ".join(f"{width} x {height}" for width, height in sorted(sizes)[:4]),
            hint="Put the slices of one map, and nothing else, into a folder.",
            code="sizes_differ",
        )
    check_voxel_count((len(slices), *slices[0].shape[:2]))
    return np.stack(slices)


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _is_picture(path: Path) -> bool:
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS):
            return True
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Sort key that puts slice 2 before slice 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", path.name.lower())]


def _not_colour(got: str) -> InputError:
    return InputError(
        "This is no colour picture.",
        expected="8-bit colours (RGB, palette or YBR)",
        got=got,
        hint="Maps with numbers in them (NIfTI, plain DICOM) need no colours: measure them with `perfusynth measure`.",
        code="not_colour",
    )


def _bad_pixels(got: str) -> InputError:
    return InputError(
        "The pixels of a DICOM image cannot be read.",
        expected="complete pixels, uncompressed or as JPEG, JPEG 2000 or RLE",
        got=got,
        hint="Export the series again, uncompressed if possible.",
        code="bad_pixels",
    )
