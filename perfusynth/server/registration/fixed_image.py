"""The image that annotators align the NCCT to: three-dimensional, made once of what a case has, and kept.

``<studies>/.perfusynth/fixed_images/<case>.nii.gz``: the mean over time of a 4-D CTP, or a link to the file itself
where that is a 3-D image on an orthogonal grid. Viewers could load the CTP, too, but it is forty times as large.
"""

import os
import threading
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, Literal

import nibabel as nib
import numpy as np

from perfusynth.errors import InputError
from perfusynth.readers.loaded import AIR_HU
from perfusynth.readers.series_values import check_series_size
from perfusynth.volumes.geometry import is_orthogonal
from perfusynth.volumes.nifti import read_nifti, write_nifti
from perfusynth.volumes.nifti_stored import affine_of, sizes_of
from perfusynth.volumes.regrid import straighten
from perfusynth.volumes.volume import Volume

FixedKind = Literal["ctp_mean", "ctp", "tmax"]

#: What a fixed image is made of, the better first: the CTP shows skull and ventricles, a map hardly more than an
#: outline.
_SOURCES: Final = ("ctp", "tmax")
#: Highest HU that is kept: dense metal; the mean is written as int16.
_HIGHEST_HU: Final = 3071.0


def source_of(case: Path) -> Path | None:
    """The file of a case folder that its fixed image is made of; None where it has neither CTP nor maps.

    Links that lead out of the studies folder are passed over, as everywhere in the server.
    """
    inside = os.path.realpath(case.parent) + os.sep
    paths = (case / f"{name}.nii.gz" for name in _SOURCES)
    return next((path for path in paths if path.is_file() and os.path.realpath(path).startswith(inside)), None)


class FixedImages:
    """The fixed images of one studies folder.

    Parameters
    ----------
    folder
        Where they lie; made when first needed.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._one_at_a_time = threading.Lock()

    def path_of(self, case: str) -> Path:
        """Where the fixed image of a case lies once it is made."""
        return self._folder / f"{case}.nii.gz"

    def is_made(self, case: Path) -> bool:
        """Whether the fixed image of a case folder is there, and of the file that lies there now."""
        source, path = source_of(case), self.path_of(case.name)
        if source is None or not path.is_file():
            return False
        if path.is_symlink():
            return os.path.realpath(path) == os.path.realpath(source)
        return path.stat().st_mtime_ns == source.stat().st_mtime_ns

    def make(self, case: Path) -> FixedKind:
        """Make the fixed image of a case folder unless it is there (blocking, seconds for a 4-D CTP).

        Raises
        ------
        InputError
            Code ``no_fixed_image``: the case has neither CTP nor maps; what `read_nifti` raises.
        """
        source = source_of(case)
        if source is None:
            raise InputError(
                "There is nothing that the NCCT could be registered to.",
                expected="ctp.nii.gz or tmax.nii.gz in the case folder",
                got="neither",
                hint="Add the perfusion study to the case.",
                code="no_fixed_image",
            )
        with self._one_at_a_time:
            frames = _frames(source)
            kind: FixedKind = "tmax" if source.name.startswith("tmax") else "ctp" if frames == 1 else "ctp_mean"
            if not self.is_made(case):
                self._make(source, frames, self.path_of(case.name))
        return kind

    def remove_all_but(self, cases: Collection[str]) -> None:
        """Remove the images of cases that are no longer there: they are patient data."""
        if not self._folder.is_dir():
            return
        for path in self._folder.glob("[!.]*.nii.gz"):
            if path.name.removesuffix(".nii.gz") not in cases:
                path.unlink(missing_ok=True)

    def _make(self, source: Path, frames: int, path: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if frames == 1:
            volume = read_nifti(source)
            if is_orthogonal(volume.affine):
                path.symlink_to(os.path.relpath(source, self._folder))
                return
            write_nifti(path, straighten(volume))
        else:
            mean = _mean_over_time(source, frames)
            write_nifti(path, mean if is_orthogonal(mean.affine) else straighten(mean), dtype=np.int16)
        stamp = source.stat()
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def header_of(path: Path) -> nib.Nifti1Header:
    """The header of a NIfTI file, no voxels.

    Raises
    ------
    InputError
        Code ``truncated_file``.
    """
    try:
        header: nib.Nifti1Header = _opened(path).header
        return header
    except (nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError, OSError, EOFError, zlib.error):
        raise _damaged() from None


def _frames(source: Path) -> int:
    """How many frames a file has, from its header."""
    sizes = sizes_of(header_of(source))
    check_series_size((*sizes[:3], int(np.prod(sizes[3:]))))
    return int(np.prod(sizes[3:]))


def _mean_over_time(source: Path, frames: int) -> Volume:
    """One frame after the other, so that a study of a gigabyte is never in memory as a whole."""
    image = _opened(source)
    total = np.zeros(image.shape[:3], dtype=np.float32)
    try:
        for frame in np.ndindex(image.shape[3:]):  # times may lie along a fifth dimension
            values = np.asarray(image.dataobj[(..., *frame)], dtype=np.float32)
            total += np.clip(np.nan_to_num(values, nan=AIR_HU), AIR_HU, _HIGHEST_HU)
    except (OSError, EOFError, ValueError, zlib.error):
        raise _damaged() from None
    return Volume(total / frames, affine_of(image.header))


def _opened(path: Path) -> Any:
    """The image, its voxels still in the file, which stays open: else each frame is unpacked from the start."""
    return nib.load(path, keep_file_open=True)  # type: ignore[call-arg]


def _damaged() -> InputError:
    return InputError(
        "An image of this case cannot be read.",
        expected="a complete NIfTI file",
        got="a damaged one, or another kind of file",
        hint="Export the image again.",
        code="truncated_file",
    )
