"""When the frames of a NIfTI series were acquired: a BIDS sidecar beside it, or the interval in its header."""

import json
import math
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
    fourth voxel size with its unit. A sidecar that was passed over, or says other than the header, is told.

    Raises
    ------
    InputError
        Code ``no_frame_times``: none of them is a plausible time. Code ``bad_times``: the sidecar names another
        number of frames, or times that are none, or seem to be ms.
    """
    stored, unit = float(header["pixdim"][4]), header.get_xyzt_units()[1]
    in_header = stored * UNITS_S.get(unit, 1.0)
    sidecar, notes = _sidecar(path)
    if "SliceTiming" in sidecar:
        notes += (
            "The SliceTiming in the JSON file beside the image was not used: all slices of a frame are taken to be of "
            "one time.",
        )
    times, told = _times_of_sidecar(sidecar, frames)
    notes += told
    if times is not None:
        intervals = np.diff(times)
        if _plausible(in_header) and np.abs(intervals - in_header).max() > SAME_INTERVAL_S:
            ends = dict.fromkeys(f"{end:g}" for end in (intervals.min(), intervals.max()))
            notes += (
                f"The JSON file beside the image says {' to '.join(ends)} s between frames, its header {in_header:g} "
                "s: the JSON file was followed.",
            )
        return times, notes
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


def _times_of_sidecar(sidecar: dict[str, Any], frames: int) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Times by ``VolumeTiming``, else ``RepetitionTime``; ``None`` where neither says; and which was passed over."""
    timing, repetition = sidecar.get("VolumeTiming"), sidecar.get("RepetitionTime")
    if isinstance(timing, list) and timing:
        times = np.array([_number(value) for value in timing])
        if times.size != frames or not np.isfinite(times).all():
            raise InputError(
                "The times beside the image do not fit it.",
                expected=f"a VolumeTiming of {frames} times in the JSON file beside it",
                got=f"{times.size} entries, {int(np.isfinite(times).sum())} of them times",
                hint="Mend or remove the JSON file, or give the times with --times FILE.",
                code="bad_times",
            )
        _check_seconds("VolumeTiming", float(np.median(np.diff(times))))
        return times - times[0], ()
    told: tuple[str, ...] = ()
    if timing is not None:
        told += ("The VolumeTiming in the JSON file beside the image is no list of times; it was passed over.",)
    if repetition is None:
        return None, told
    interval = _number(repetition)
    _check_seconds("RepetitionTime", interval)
    if _plausible(interval):
        return interval * np.arange(frames), told
    said = f"says {interval:g} s" if math.isfinite(interval) else "is no number of s"
    return None, (
        *told,
        f"The RepetitionTime in the JSON file beside the image {said}; it was passed over (expected "
        f"{SHORTEST_INTERVAL_S:g} to {LONGEST_INTERVAL_S:g} s).",
    )


def _check_seconds(key: str, interval_s: float) -> None:
    """Refuse an interval that is plausible in ms: a wrong guess at a unit would change every map."""
    if _plausible(interval_s * 1e-3):
        raise InputError(
            "The times beside the image are not in seconds.",
            expected=f"{key} in s (BIDS), frames {SHORTEST_INTERVAL_S:g} to {LONGEST_INTERVAL_S:g} s apart",
            got=f"frames {interval_s:g} apart, probably in ms",
            hint="Write the JSON file in s, or remove it, or give the interval with --interval S.",
            code="bad_times",
        )


def _number(value: Any) -> float:
    """NaN for what is no number."""
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):  # a number of 400 digits is none
        return math.nan


def _sidecar(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON object beside an image, ``ctp.json`` for ``ctp.nii.gz``; empty where there is none."""
    beside = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    if not beside.is_file():
        return {}, ()
    try:
        content = json.loads(beside.read_bytes()) if beside.stat().st_size <= MAX_SIDECAR_BYTES else None
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        return {}, ("The JSON file beside the image could not be read; it was passed over.",)
    return content, ()
