"""The images of one DICOM stack as positions x times: which image is which frame, and when each was acquired."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from perfusynth.perfusion.series.timing import TimingSettings
from perfusynth.readers.dicom_clock import SAME_TIME_S, clock_of, unrounded
from perfusynth.readers.dicom_geometry import (
    LPS_TO_RAS,
    StackGeometry,
    UnusableStackError,
    geometry_of,
    steps_of,
    without_copies,
)
from perfusynth.readers.dicom_headers import Slice

#: Images nearer than this (mm, across and in plane) lie at one position of the table: half the thinnest slice (0.5 mm).
SAME_PLANE_MM = 0.25
#: Fewest images at a position that make a time series; whether they are enough to follow a bolus is judged later.
MIN_IMAGES = 3
#: Positions with less than this share of the usual number of images are no part of the time series.
MIN_SHARE_OF_IMAGES = 0.5
#: A number of images that this share of positions has is a number of frames, not a fault of single positions.
COMMON_SHARE = 0.1
#: A first or last frame that lacks more than this share of its slices (the table stopped halfway) is left out.
MAX_SHARE_LACKING_AT_END = 0.1
#: Largest share of images that may be missing and are interpolated in time; the project's own choice.
MAX_SHARE_MISSING = 0.05
#: Longest time (s) across which a missing image is interpolated: the longest gap between frames that may be.
MAX_BRIDGED_S = TimingSettings().longest_gap_s
#: Slices of a frame whose times differ by no more than this (s) from the middle one have one time.
SAME_FRAME_S = 0.05


@dataclass(frozen=True, eq=False)
class FrameStack:
    """A time series of one stack of positions.

    Parameters
    ----------
    geometry
        Of the positions, by one image of each; ascending along the normal.
    images
        ``images[z][k]``: the image at position z and time k, ``None`` where it is missing.
    clock_s
        When, by ``source``, s, shape (z, frames), ascending; of missing images too. ``None``: the headers do not say.
    source
        Where the times stand (`dicom_times.SOURCES`).
    notes
        What a reader must be told.
    """

    geometry: StackGeometry
    images: list[list[Slice | None]]
    clock_s: np.ndarray | None
    source: str | None
    notes: tuple[str, ...]

    @property
    def frames(self) -> int:
        """Number of time points."""
        return len(self.images[0])

    @property
    def first(self) -> Slice:
        """One image, for what all have in common."""
        return self.geometry.slices[0]

    @property
    def times_s(self) -> np.ndarray | None:
        """Seconds from the first image: (frames,) where slices share their times, else (z, frames)."""
        if self.clock_s is None:
            return None
        times = self.clock_s - self.clock_s.min()
        middle = np.median(times, axis=0)
        return middle - middle[0] if np.abs(times - middle).max() <= SAME_FRAME_S else times


def arrange(stack: Sequence[Slice]) -> FrameStack:
    """Arrange images that share orientation, size and pixel spacing by position and time.

    Raises
    ------
    UnusableStackError
        ``single_scan`` (no position has several images), ``one_position``, ``moving_grid``, ``uneven_frames``,
        ``missing_images``; as of `geometry_of`.
    """
    groups, notes = _positions(stack)
    found = clock_of(groups)
    clock_s, source = None, None
    if found is None:
        images = _in_order_of_numbers(groups)
    else:
        source, seconds = found
        ordered, times = _in_order_of_time(groups, seconds, notes)
        images, clock_s = _trimmed(*_aligned(ordered, times), notes)
        _check_missing(images, clock_s, notes)
        clock_s, told = unrounded(clock_s)
        notes += told
    geometry = geometry_of([next(image for image in row if image is not None) for row in images])
    return FrameStack(geometry, images, clock_s, source, (*notes, *geometry.notes))


def _positions(stack: Sequence[Slice]) -> tuple[list[list[Slice]], list[str]]:
    """Images of each position, ascending along the normal; positions that were not scanned in time are left out."""
    step_x, step_y, normal = steps_of(stack[0])
    images, notes = without_copies(stack)
    places = np.array([image.position for image in images]) * LPS_TO_RAS
    depth = places @ normal
    groups: list[list[int]] = []
    for k in np.argsort(depth, kind="stable"):
        if groups and depth[k] - depth[groups[-1][0]] <= SAME_PLANE_MM:
            groups[-1].append(int(k))
        else:
            groups.append([int(k)])
    counts = Counter(len(group) for group in groups if len(group) >= MIN_IMAGES)
    if not counts:
        raise UnusableStackError("single_scan", "a single scan: its positions were not imaged several times")
    usual = max(counts, key=lambda count: (counts[count], count))
    kept = [group for group in groups if len(group) >= MIN_SHARE_OF_IMAGES * usual]
    if len(kept) == 1:
        raise UnusableStackError("one_position", f"its {len(kept[0])} images lie at one position (bolus tracking)")
    if len(kept) < len(groups):
        notes.append(
            f"{len(groups) - len(kept)} of {len(groups)} positions were imaged less than half as often as the others; "
            "they were left out."
        )
    in_plane = np.stack([step_x / np.linalg.norm(step_x), step_y / np.linalg.norm(step_y)], axis=1)
    if any(np.ptp(places[group] @ in_plane, axis=0).max() > SAME_PLANE_MM for group in kept):
        raise UnusableStackError("moving_grid", "its slices are shifted in plane from one time to the next")
    return [[images[k] for k in group] for group in kept], notes


def _in_order_of_numbers(groups: list[list[Slice]]) -> list[list[Slice | None]]:
    """Frames of a study whose headers hold no time, by the numbers of time point, acquisition and image."""
    if len({len(group) for group in groups}) > 1:
        raise UnusableStackError("uneven_frames", "it holds no times, and its positions were imaged differently often")
    numbers = [[(s.times.position, s.acquisition_number, s.instance_number) for s in group] for group in groups]
    return [
        [group[k] for k in sorted(range(len(group)), key=own.__getitem__)]
        for group, own in zip(groups, numbers, strict=True)
    ]


def _in_order_of_time(
    groups: list[list[Slice]], seconds: list[np.ndarray], notes: list[str]
) -> tuple[list[list[Slice]], list[np.ndarray]]:
    """Images of each position by time, the later one of two at one time."""
    ordered, times = [], []
    for group, own in zip(groups, seconds, strict=True):
        order = sorted(range(len(group)), key=lambda k: (own[k], group[k].acquisition_number, group[k].instance_number))
        last = [
            k
            for k, after in zip(order, [*order[1:], None], strict=True)
            if after is None or own[after] - own[k] >= SAME_TIME_S
        ]
        ordered.append([group[k] for k in last])
        times.append(own[last])
    repeated = sum(map(len, groups)) - sum(map(len, ordered))
    if repeated:
        notes.append(f"{repeated} image(s) share position and time with another; the later of each was read.")
    return ordered, times


def _aligned(ordered: list[list[Slice]], times: list[np.ndarray]) -> tuple[list[list[Slice | None]], np.ndarray]:
    """Give every image its frame; ``None`` where a position lacks one, with the time it should have had.

    A position with fewer (or more) images than the others is matched with the complete position whose times are
    nearest to its own, so that slabs that take turns are matched with their like.
    """
    counts = Counter(map(len, ordered))
    frames = max((n for n in counts if counts[n] >= COMMON_SHARE * len(ordered)), default=max(counts))
    complete = [own for own in times if len(own) == frames]
    images: list[list[Slice | None]] = []
    clock_s = np.empty((len(ordered), frames))
    for z, (row, own) in enumerate(zip(ordered, times, strict=True)):
        if len(row) == frames:
            images.append(list(row))
            clock_s[z] = own
            continue
        distances = [np.abs(own[:, None] - other[None, :]) for other in complete]
        nearest = int(np.argmin([distance.min(axis=1).mean() for distance in distances]))
        # With squared distances the best assignment keeps the order of times.
        kept, slots = map(np.sort, linear_sum_assignment(distances[nearest] ** 2))
        filled: list[Slice | None] = [None] * frames
        for k, slot in zip(kept, slots, strict=True):
            filled[slot] = row[k]
        images.append(filled)
        offset = np.interp(np.arange(frames), slots, own[kept] - complete[nearest][slots])
        clock_s[z] = complete[nearest] + offset
    return images, clock_s


def _trimmed(
    images: list[list[Slice | None]], clock_s: np.ndarray, notes: list[str]
) -> tuple[list[list[Slice | None]], np.ndarray]:
    lacking = np.array([[image is None for image in row] for row in images]).mean(axis=0)
    whole = np.flatnonzero(lacking <= MAX_SHARE_LACKING_AT_END)
    if len(whole) < MIN_IMAGES:
        raise UnusableStackError("uneven_frames", "its positions were imaged at different times")
    start, end = int(whole[0]), int(whole[-1]) + 1
    dropped = len(lacking) - (end - start)
    if dropped:
        notes.append(f"{dropped} frame(s) at the ends of the study lack slices; they were left out.")
    return [row[start:end] for row in images], clock_s[:, start:end]


def _check_missing(images: list[list[Slice | None]], clock_s: np.ndarray, notes: list[str]) -> None:
    missing = np.array([[image is None for image in row] for row in images])
    if not missing.any():
        return
    if missing.mean() > MAX_SHARE_MISSING:
        raise UnusableStackError("missing_images", f"{missing.sum()} of its {missing.size} images are missing")
    for times, lost in zip(clock_s, missing, strict=True):
        gap = np.diff(times[~lost]).max()
        if lost.any() and gap > MAX_BRIDGED_S:
            raise UnusableStackError(
                "missing_images", f"images are missing over {gap:.1f} s at one position (at most {MAX_BRIDGED_S:g} s)"
            )
    notes.append(f"{missing.sum()} of {missing.size} images are missing; they were interpolated in time.")
