"""When the frames of a NIfTI series were acquired: a BIDS sidecar beside it, or the interval in its header."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from perfusynth.errors import InputError

#: Intervals (s) between frames that a CT perfusion study may have: wide-detector scanners reach 0.3 s, and a unit
#: that is wrong by 1000 falls outside; the project's own choice.
SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 0.2, 5.0
#: Units of time in a NIfTI header, in s.
UNITS_S = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
#: Most bytes of a sidecar; BIDS sidecars have some 10 kB.
MAX_SIDECAR_BYTES = 2**20
#: Largest difference (s) between the sidecar's interval and the header's that is not worth telling.
SAME_INTERVAL_S = 0.01


def frame_times(path: Path, header: nib.Nifti1Header, frames: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Times of the frames, s from the first, shape (frames,), and what a reader must be told.

    ``VolumeTiming`` of the sidecar comes first, then its ``RepetitionTime`` (BIDS, both in s), then the header's
    fourth voxel size with its unit.

    Raises
    ------
    InputError
        Code ``no_frame_times``: none of them is a plausible time. Code ``bad_times``: the sidecar names another
        number of frames.
    """
    stored, unit = float(header["pixdim"][4]), header.get_xyzt_units()[1]
    in_header = stored * UNITS_S.get(unit, 1.0)
    sidecar, notes = _sidecar(path)
    timing = sidecar.get("VolumeTiming")
    if isinstance(timing, list) and timing:
        times = _numbers(timing)
        if times.size != frames:
            raise InputError(
                "The times beside the image do not fit it.",
                expected=f"a VolumeTiming of {frames} times in the JSON file beside it",
                got=f"{times.size} times",
                hint="Mend or remove the JSON file, or give the times with --times FILE.",
                code="bad_times",
            )
        return times - times[0], notes
    interval = sidecar.get("RepetitionTime")
    if isinstance(interval, int | float) and _plausible(float(interval)):
        if _plausible(in_header) and abs(interval - in_header) > SAME_INTERVAL_S:
            notes += (
                f"The JSON file beside the image says {interval:g} s between frames, its header {in_header:g} s: the "
                "JSON file was followed.",
            )
        return float(interval) * np.arange(frames), notes
    if unit not in (*UNITS_S, "unknown") or not _plausible(in_header):
        raise InputError(
            "The image does not say when its frames were acquired.",
            expected=f"an interval of {SHORTEST_INTERVAL_S:g} to {LONGEST_INTERVAL_S:g} s between frames in the header "
            "(fourth pixdim with its unit), or a BIDS JSON file beside it",
            got=f"{stored:g}, unit {unit}",
            hint="Give the interval with --interval S, or the time of each frame with --times FILE.",
            code="no_frame_times",
        )
    if unit == "unknown":
        notes += (
            f"The header says {stored:g} between frames without a unit: taken as s. Programs write 1 where nobody set "
            "it: compare it with the scan, or give --interval.",
        )
    return in_header * np.arange(frames), notes


def _plausible(interval_s: float) -> bool:
    return SHORTEST_INTERVAL_S <= interval_s <= LONGEST_INTERVAL_S


def _numbers(values: list[Any]) -> np.ndarray:
    try:
        return np.array([float(value) for value in values])
    except (TypeError, ValueError):
        return np.full(len(values), np.nan)  # refused by Series


def _sidecar(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON object beside an image, ``ctp.json`` for ``ctp.nii.gz``; empty where there is none."""
    beside = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    if not beside.is_file():
        return {}, ()
    try:
        content = json.loads(beside.read_bytes()) if beside.stat().st_size <= MAX_SIDECAR_BYTES else None
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        return {}, ("The JSON file beside the image could not be read; it was passed over.",)
    return content, ()
