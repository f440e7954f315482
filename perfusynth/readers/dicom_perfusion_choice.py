"""Which series of a study is its CT perfusion: what is set aside and why, and what cannot be decided."""

import re
from collections.abc import Sequence

import numpy as np

from perfusynth.errors import InputError
from perfusynth.readers.dicom_frames import FrameStack, arrange
from perfusynth.readers.dicom_geometry import UnusableStackError
from perfusynth.readers.dicom_headers import Slice
from perfusynth.readers.dicom_series import (
    COVERAGE_SHARE,
    SHARP_KERNEL,
    USUAL_THICKNESS_MM,
    Aside,
    check_one_patient,
    no_image_fault,
    no_place_fault,
    series_name,
    stacks_of,
)
from perfusynth.readers.dicom_times import BY_THE_CLOCK

#: Words in ImageType of projections: they mix slices, or frames. Reformats of a perfusion study can be read: sites
#: keep thick slices averaged from thin ones in place of them.
PROJECTION_WORDS = {"PROJECTION IMAGE", "MIP", "MAX_IP", "MIN_IP", "MINIP", "3D", "VRT", "VOLREND"}
#: Fewest series of one time point each that are joined to a time series; two may be a scan and its repetition.
MIN_JOINED = 3
#: Two series whose times overlap by this share of the shorter one are two reconstructions of one acquisition.
SAME_ACQUISITION_SHARE = 0.5


def choose_perfusion(slices: Sequence[Slice]) -> tuple[FrameStack, tuple[str, ...]]:
    """Pick the series that shows positions of a head at several times, and say what was set aside.

    Of several reconstructions of one acquisition, the one with the best cover, original, with a soft kernel and slices
    nearest to 5 mm is read.

    Raises
    ------
    InputError
        ``several_patients``; ``not_a_perfusion_study``: no series is a time series of slices (or the fault's own code,
        where the time series that is there cannot be read); ``several_perfusion_series``: several acquisitions.
    """
    check_one_patient(slices)
    aside: list[Aside] = []
    faults: list[UnusableStackError] = []
    candidates: list[FrameStack] = []
    single: dict[tuple, list[list[Slice]]] = {}
    for stack in _by_kernel(stacks_of(slices, _fault, aside)):
        try:
            candidates.append(arrange(stack))
        except UnusableStackError as fault:
            if fault.code == "single_scan":
                single.setdefault(_likeness(stack[0]), []).append(stack)
                continue
            faults.append(fault)
            aside.append(Aside(series_name(stack[0]), len(stack), fault.code, fault.reason))
    candidates += _joined(single, aside, faults)
    if not candidates:
        raise _no_perfusion(aside, faults)
    best = max(candidates, key=lambda stack: _preference(stack, candidates))
    others = [stack for stack in candidates if stack is not best]
    _refuse_several(best, others)
    for other in others:
        reason = f"a time series too, but {series_name(best.first)} was read"
        aside.append(Aside(series_name(other.first), len(other.images) * other.frames, "not_chosen", reason))
    notes = [f"Set aside: {item}." for item in aside]
    if aside:
        notes.insert(0, f"Read {series_name(best.first)}: {len(best.images)} slices at {best.frames} times.")
    return best, tuple(notes)


def _fault(image: Slice) -> tuple[str, str] | None:
    """Why one image cannot be part of a perfusion study: code and reason."""
    if fault := no_image_fault(image):
        return fault
    if image.acquisition.modality != "CT":
        return "not_ct", f"no CT but {image.acquisition.modality or 'of unknown modality'}"
    if set(image.acquisition.image_type) & PROJECTION_WORDS:
        return "projection", "a projection, not slices"
    return no_place_fault(image)


def _by_kernel(stacks: list[list[Slice]]) -> list[list[Slice]]:
    """Two reconstructions in one series are two stacks."""
    groups: dict[tuple, list[Slice]] = {}
    for k, stack in enumerate(stacks):
        for image in stack:
            groups.setdefault((k, image.acquisition.convolution_kernel), []).append(image)
    return list(groups.values())


def _likeness(image: Slice) -> tuple:
    """What series of one time point each have in common; numbers in their description may tell the time."""
    header = image.acquisition
    assert image.orientation is not None
    assert image.pixel_spacing is not None
    return (
        image.study_uid,
        image.rows,
        image.columns,
        tuple(np.round(image.pixel_spacing, 4)),
        tuple(np.round(image.orientation, 2) + 0.0),
        header.convolution_kernel,
        header.slice_thickness_mm,
        re.sub(r"[\d.,]+", "#", header.series_description or ""),
    )


def _joined(
    single: dict[tuple, list[list[Slice]]], aside: list[Aside], faults: list[UnusableStackError]
) -> list[FrameStack]:
    """Time series out of series of one time point each; what stays single goes to ``aside``."""
    found = []
    for stacks in single.values():
        if len(stacks) >= MIN_JOINED:
            try:
                found.append(arrange([image for stack in stacks for image in stack]))
                continue
            except UnusableStackError as fault:
                if fault.code != "single_scan":
                    faults.append(fault)
        for stack in stacks:
            aside.append(Aside(series_name(stack[0]), len(stack), "single_scan", "a single scan, no time series"))
    return found


def _preference(stack: FrameStack, candidates: Sequence[FrameStack]) -> tuple:
    header = stack.first.acquisition
    thickness = header.slice_thickness_mm or stack.geometry.spacing_mm
    return (
        _is_comparable(stack, candidates),
        "DERIVED" not in header.image_type,
        not SHARP_KERNEL.match((header.convolution_kernel or "").strip()),
        -abs(thickness - USUAL_THICKNESS_MM),
        stack.geometry.coverage_mm,
        stack.frames,
        -(stack.first.series_number or 0),
    )


def _is_comparable(stack: FrameStack, candidates: Sequence[FrameStack]) -> bool:
    """Whether a series covers about as much of the head, about as often, as any other."""
    return stack.geometry.coverage_mm >= COVERAGE_SHARE * max(
        other.geometry.coverage_mm for other in candidates
    ) and stack.frames >= COVERAGE_SHARE * max(other.frames for other in candidates)


def _refuse_several(best: FrameStack, others: list[FrameStack]) -> None:
    rivals = [
        other for other in others if _is_comparable(other, [best, *others]) and not _is_same_acquisition(best, other)
    ]
    if rivals:
        named = ", ".join(
            f"{series_name(stack.first)} ({len(stack.images)} slices at {stack.frames} times)"
            for stack in (best, *rivals)
        )
        raise InputError(
            "The study holds several CT perfusion acquisitions.",
            expected="one perfusion series",
            got=named,
            hint="Give the folder of the series that is meant.",
            code="several_perfusion_series",
        )


def _is_same_acquisition(one: FrameStack, other: FrameStack) -> bool:
    """Whether two series were acquired at the same time; unknown where they do not go by the clock."""
    if one.source != other.source or one.source not in BY_THE_CLOCK or one.clock_s is None or other.clock_s is None:
        return False
    overlap = min(one.clock_s.max(), other.clock_s.max()) - max(one.clock_s.min(), other.clock_s.min())
    return bool(overlap >= SAME_ACQUISITION_SHARE * min(np.ptp(one.clock_s), np.ptp(other.clock_s)))


def _no_perfusion(aside: list[Aside], faults: list[UnusableStackError]) -> InputError:
    several = [fault for fault in faults if fault.code != "one_position"]
    code = several[0].code if len(several) == 1 else "not_a_perfusion_study"
    return InputError(
        "This is no CT perfusion study that can be read.",
        expected="one CT series in which every slice position was imaged at many times",
        got="; ".join(map(str, aside)) or "no images",
        hint="Give the whole dynamic series, all slices at all times.",
        code=code,
    )
