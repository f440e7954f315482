"""A GridVolume on disk. Here, and nowhere else between server and numbers, LPS turns to RAS and back."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import SimpleITK as sitk

from .grid_volume import GridVolume
from .problems import Problem

#: ITK counts positions towards left and posterior, we towards right and anterior.
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Largest error of a position at the far end of a volume that a file may make, mm: a NIfTI keeps 32-bit numbers. [d]
_PLACE_TOLERANCE_MM = 1e-2
#: On a head CT, ITK's own level packs 12 % smaller in three times the time.
_GZIP_LEVEL = 1
#: Most bytes that a file may unpack to: 512x512x400 in 64 bits are 0.8 GiB. [d]
MAX_UNPACKED_BYTES = 2 * 1024**3
_BLOCK = 1 << 20
#: Longest NRRD header that is looked at, bytes.
_NRRD_HEADER = 1 << 16


def read_nifti(path: str | Path) -> GridVolume:
    """Read a NIfTI file of one scalar volume, named .nii or .nii.gz; integers stay integers, else float32.

    Raises
    ------
    Problem
        Code ``bad_volume``: missing, damaged, cut off, too large, several frames, no scalar, a sheared grid.
    """
    path = Path(path)
    if not path.name.endswith(".gz"):
        return _read(path, "NiftiImageIO")
    # ITK reads a gzip stream that is cut off or damaged without a word; Python's checks its end and checksum.
    with tempfile.TemporaryDirectory(prefix="perfusynth-") as folder:
        plain = Path(folder) / "image.nii"
        try:
            with gzip.open(path, "rb") as source, open(plain, "wb") as target:
                while block := source.read(_BLOCK):
                    target.write(block)
                    if target.tell() > MAX_UNPACKED_BYTES:
                        raise _bad("it is larger than a scan can be", f"more than {MAX_UNPACKED_BYTES} bytes")
        except (gzip.BadGzipFile, EOFError, zlib.error, FileNotFoundError) as error:
            raise _bad("it is damaged or not there", _last_line(error)) from None
        except OSError as error:
            raise _disk(error) from None
        return _read(plain, "NiftiImageIO")


def read_image(path: str | Path) -> GridVolume:
    """Read a file that somebody else wrote, NIfTI or NRRD by its content; it is given the ending that fits.

    Raises
    ------
    Problem
        As `read_nifti`.
    """
    path = Path(path)
    with open(path, "rb") as file:
        head = file.read(_NRRD_HEADER)
    if not head.startswith(b"NRRD"):
        return read_nifti(path.replace(path.with_name("image.nii.gz" if head.startswith(b"\x1f\x8b") else "image.nii")))
    # A header may name another file of this machine as the place of its voxels.
    fields = head.partition(b"\n\n")[0].replace(b"\r", b"").lower()
    if b"\ndata file:" in fields or b"\ndatafile:" in fields:
        raise _bad("its voxels lie in another file", "detached NRRD header")
    return _read(path.replace(path.with_name("image.nrrd")), "NrrdImageIO")


def write_nifti(path: str | Path, volume: GridVolume) -> None:
    """Write a volume; nothing but voxels and grid goes into the file. Gzipped when ``path`` ends in ``.gz``.

    Raises
    ------
    Problem
        Code ``bad_volume``: not three axes, or a sheared grid, which must be resampled first; ``disk``: no room.
    """
    path = Path(path)
    if volume.array.ndim != 3:
        raise _bad("it does not have three axes", f"{volume.array.ndim}")
    image = _image(volume)
    plain = path.with_name(path.name[: -len(".gz")]) if path.name.endswith(".gz") else path
    try:
        sitk.WriteImage(image, str(plain), imageIO="NiftiImageIO")
        if plain != path:
            with open(plain, "rb") as source, open(path, "wb") as packed, _gzip(packed) as target:
                shutil.copyfileobj(source, target, _BLOCK)
    except (RuntimeError, OSError) as error:
        raise _disk(error) from None
    finally:
        if plain != path and plain.exists():
            plain.unlink()


def _read(path: Path, image_io: str) -> GridVolume:
    try:
        image = sitk.ReadImage(str(path), imageIO=image_io)
    except RuntimeError as error:
        raise _bad("it cannot be read", _last_line(error)) from None
    _check_complete(path, image)
    while image.GetDimension() > 3 and image.GetSize()[-1] == 1:
        image = image[(slice(None),) * (image.GetDimension() - 1) + (0,)]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise _bad("it is not one volume of single numbers", f"size {image.GetSize()}")
    array = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    if array.dtype.kind not in "iu":
        array = array.astype(np.float32, copy=False)
        if not np.isfinite(array).all():
            raise _bad("it holds values that are no numbers", "NaN or infinity")
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return GridVolume(array, _LPS_TO_RAS @ affine)


def _check_complete(path: Path, image: sitk.Image) -> None:
    """Refuse a file with fewer bytes than its voxels take: ITK reads it and invents the rest."""
    if not (image.HasMetaDataKey("bitpix") and image.HasMetaDataKey("vox_offset")):
        return
    voxels = image.GetNumberOfPixels() * int(image.GetMetaData("bitpix")) // 8
    needed = int(float(image.GetMetaData("vox_offset"))) + voxels
    if path.stat().st_size < needed:
        raise _bad("it is cut off", f"{path.stat().st_size} of {needed} bytes")


def _gzip(file: BinaryIO) -> gzip.GzipFile:
    """Without the file's name and time, which gzip keeps by itself."""
    return gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0)


def _image(volume: GridVolume) -> sitk.Image:
    array = volume.array.astype(np.uint8) if volume.array.dtype == bool else volume.array
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    affine = _LPS_TO_RAS @ np.asarray(volume.affine, float)
    spacing = np.asarray(volume.spacing)
    if not (np.isfinite(affine).all() and (spacing > 0).all()):
        raise _bad("its grid has no size", f"spacing {volume.spacing}")
    direction = affine[:3, :3] / spacing
    _check_right_angles(direction, spacing * array.shape)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection(direction.ravel().tolist())
    return image


def _check_right_angles(direction: np.ndarray, extent: np.ndarray) -> None:
    """Refuse axes that are not at right angles: ITK's NIfTI straightens them silently."""
    left, _, right = np.linalg.svd(direction)
    apart = (np.abs(direction - left @ right) @ extent).max()
    if not apart <= _PLACE_TOLERANCE_MM:
        raise _bad("its axes are not at right angles", f"{apart:.3f} mm off at the far corner")


def _bad(why: str, detail: str) -> Problem:
    return Problem(
        "bad_volume",
        f"The image cannot be used: {why}.",
        "Load the scan from DICOM again, or export it anew as one NIfTI volume.",
        detail,
    )


def _disk(error: Exception) -> Problem:
    return Problem(
        "disk",
        "The image cannot be written to disk.",
        "Make room on the disk, or choose another folder.",
        _last_line(error),
    )


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
