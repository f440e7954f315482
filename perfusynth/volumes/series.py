"""`Series`: a 4-D image in time with its place in the patient, what a CT perfusion study is read into."""

from dataclasses import dataclass, field

import nibabel as nib
import numpy as np

from perfusynth.errors import InputError
from perfusynth.volumes.volume import Volume


@dataclass(frozen=True, eq=False)
class Series:
    """Frames of one head on one grid.

    Parameters
    ----------
    array
        HU, int16 or float32 (as it was stored: a study of 512 x 512 x 32 x 45 in float32 takes 1.5 GB), shape
        ``(x, y, z, frames)``.
    affine
        4x4 float64, voxel index to RAS+ mm.
    times_s
        When the frames were acquired, s, ascending: ``(frames,)``, or ``(z, frames)`` where slices have times of their
        own (a moving table).
    header
        The NIfTI header that it came with, copied to maps on the same grid; ``None`` for other sources.
    """

    array: np.ndarray
    affine: np.ndarray
    times_s: np.ndarray
    header: nib.Nifti1Header | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        array, times = np.asarray(self.array), np.asarray(self.times_s, dtype=np.float64)
        if array.ndim != 4 or 0 in array.shape:
            raise InputError(
                "The image is not a series of frames.",
                expected="an array of shape (x, y, z, frames)",
                got=f"shape {array.shape}",
                hint="Give the whole CT perfusion study, all slices at all times.",
                code="not_4d",
            )
        if times.shape not in ((array.shape[3],), (array.shape[2], array.shape[3])):
            raise ValueError(f"expected a time for each of {array.shape[3]} frames, got shape {times.shape}")
        if not (np.isfinite(times).all() and (np.diff(times, axis=-1) > 0).all()):
            raise InputError(
                "The times of the frames do not ascend.",
                expected="one time a frame, each later than the one before",
                got=f"{int((np.diff(times, axis=-1) <= 0).sum())} frames that are not later than the one before",
                hint="Give the times of the frames with --times or --interval.",
                code="bad_times",
            )
        if array.dtype != np.int16:
            array = np.asarray(array, dtype=np.float32)
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "affine", self.frame(0).affine)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (x, y, z)."""
        return self.array.shape[:3]  # type: ignore[return-value]

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.array.shape[3])

    @property
    def spacing(self) -> np.ndarray:
        """Voxel size along each array axis, mm, shape (3,)."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    def frame(self, index: int) -> Volume:
        """One frame as a volume, float32."""
        return Volume(self.array[..., index], self.affine, self.header)

    def mean(self, frames: slice) -> Volume:
        """Mean of some frames, float32."""
        return Volume(self.array[..., frames].mean(axis=3, dtype=np.float32), self.affine, self.header)
