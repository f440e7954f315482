"""Series in time as 4-D NIfTI files: int16, frame by frame, there whole or not at all."""

import json
import zlib
from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np

from perfusynth import __version__, atomic
from perfusynth.volumes.memory_order import to_fortran_order
from perfusynth.volumes.series import Series

#: How well a series is packed (zlib): noise hardly packs, so that more would cost time only.
LEVEL = 1
#: gzip streams have this many window bits in zlib's terms.
GZIP_BITS = 16 + zlib.MAX_WBITS
#: Intervals that differ by less than this from their mean are even, s.
EVEN_S = 1e-3


def write_series(path: Path, series: Series) -> None:
    """Write a series under a header of its own: its grid, and the interval of its frames (fourth pixdim, s).

    Uneven times go into a BIDS file beside it (``VolumeTiming``, s); where slices have times of their own, into that
    the mean over the slices.
    """
    times = series.times_s if series.times_s.ndim == 1 else series.times_s.mean(axis=0)
    intervals = np.diff(times)
    header = nib.Nifti1Header()
    header.set_data_shape((*series.shape, series.frames))
    header.set_xyzt_units("mm", "sec")
    header.set_qform(series.affine, code=1, strip_shears=True)
    header.set_sform(series.affine, code=1)
    header["pixdim"][4] = float(np.median(intervals)) if intervals.size else 0.0
    header["descrip"] = f"perfusynth {__version__}".encode("ascii")
    if intervals.size and np.ptp(intervals) > EVEN_S:
        timing = {"VolumeTiming": [round(float(t - times[0]), 4) for t in times]}
        sidecar = path.with_name(f"{path.name.partition('.')[0]}.json")
        atomic.write_bytes(sidecar, (json.dumps(timing) + "\n").encode())
    write_frames(path, header, (series.array[..., k] for k in range(series.frames)), series.frames)


def write_frames(path: Path, header: nib.Nifti1Header, frames: Iterable[np.ndarray], count: int) -> None:
    """Write ``count`` frames as gzipped int16 below ``header``, of which only one is in memory at a time."""
    header.set_data_dtype(np.dtype("<i2"))
    header["vox_offset"] = header.single_vox_offset
    header["magic"] = header.single_magic
    # Four bytes after the header: no extensions follow.
    start = header.binaryblock + bytes(header.single_vox_offset - header.sizeof_hdr)
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP_BITS)
    written = 0
    with atomic.replacing(path) as file:
        file.write(packer.compress(start))
        for frame in frames:
            stored = np.clip(np.rint(frame), -32768, 32767).astype("<i2")
            file.write(packer.compress(to_fortran_order(stored).tobytes(order="F")))
            written += 1
        file.write(packer.flush())
        if written != count:
            raise ValueError(f"expected {count} frames, got {written}")
