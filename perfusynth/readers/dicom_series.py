"""Which of the images in a folder are the NCCT: what is set aside and why, and which stack is read."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from perfusynth.errors import InputError
from perfusynth.readers.dicom_geometry import StackGeometry, UnusableStackError, geometry_of
from perfusynth.readers.dicom_headers import Slice

#: Secondary Capture storage (single and multi-frame, grey and colour): pictures of screens, dose and summary pages.
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
#: Words in ImageType (PS3.3 C.7.6.1.1.2, C.8.16.1 and vendors' own) that name what is no stack of scanned slices.
LOCALIZER_WORDS = {"LOCALIZER", "SCOUT", "REF_SURVIEW", "SURVIEW", "TOPOGRAM"}
DOSE_WORDS = {"DOSE_INFO", "PATIENT_INFO", "RESULTS", "SCREEN SAVE", "DOSE"}
REFORMAT_WORDS = {"MPR", "REFORMATTED", "PROJECTION IMAGE", "MIP", "MAX_IP", "MIN_IP", "MINIP", "3D", "VRT", "VOLREND"}
#: Modalities of objects that are no scans.
OTHER_MODALITIES = {"SEG", "SR", "PR", "KO", "DOC", "OT", "RTSTRUCT", "RTDOSE", "REG", "RWV"}
#: Largest difference of direction cosines within one stack; scanners round them to 1e-6.
ORIENTATION_TOLERANCE = 1e-3
#: A head measures less from vertex to chin; more coverage (neck, chest) makes no series better.
HEAD_MM = 180.0
#: Series that cover at least this share of the best one's head are compared by kernel and thickness.
COVERAGE_SHARE = 0.8
#: Slice thickness (mm) of a usual head CT: among equal series the one nearest to it is read.
USUAL_THICKNESS_MM = 5.0
#: Bone and lung kernels as vendors name them: GE BONE, BONEPLUS, EDGE, LUNG; Siemens H/J/B/Hr/Br/Hf/... from 50 up;
#: Philips D, E, F, L, YB to YE; Canon FC30-FC39, FC50-FC59, FC80 and up.
SHARP_KERNEL = re.compile(r"^(BONE|EDGE|LUNG|ULTRA|[HBJ][A-Z]?[5-9]\d|[DEFL]$|Y[A-E]$|FC[3589]\d)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Chosen:
    """The stack to read, and one sentence on each thing that was set aside."""

    geometry: StackGeometry
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Aside:
    """Images of one series that are not read, and why."""

    series: str
    images: int
    code: str
    reason: str

    def __str__(self) -> str:
        return f"{self.series} ({self.images} {'image' if self.images == 1 else 'images'}): {self.reason}"


def choose(slices: Sequence[Slice]) -> Chosen:
    """Pick the stack of slices that is the NCCT, if there is one.

    Raises
    ------
    InputError
        ``several_patients``; or nothing is left, with everything that was set aside and why: the code is the fault's
        own (``one_position``, ``two_orientations``, ``too_few_slices``, ``slice_gap``, ``missing_position``, ...)
        when there is one kind of fault, else ``no_usable_series``.
    """
    check_one_patient(slices)
    aside: list[Aside] = []
    stacks = stacks_of(slices, _fault, aside)
    candidates: list[StackGeometry] = []
    for stack in stacks:
        try:
            candidates.append(geometry_of(stack))
        except UnusableStackError as fault:
            aside.append(Aside(series_name(stack[0]), len(stack), fault.code, fault.reason))
    candidates = _without_reformats(candidates, aside)
    if not candidates:
        raise _nothing_left(aside, stacks)
    best = max(candidates, key=_preference(candidates))
    for other in candidates:
        if other is not best:
            _refuse_half(best, other)
            another = ", of another study" if other.slices[0].study_uid != best.slices[0].study_uid else ""
            reason = f"a scan too{another}, but {series_name(best.slices[0])} was read"
            aside.append(Aside(series_name(other.slices[0]), len(other.slices), "not_chosen", reason))
    notes = [f"Set aside: {item}." for item in aside]
    if aside:
        first = best.slices[0].acquisition
        kernel = f", kernel {first.convolution_kernel}" if first.convolution_kernel else ""
        notes.insert(
            0,
            f"Read {series_name(best.slices[0])}: {len(best.slices)} slices, {best.coverage_mm:.0f} mm{kernel}"
            + (" (original axial CT with the best cover of the head)." if len(candidates) > 1 else "."),
        )
    return Chosen(best, tuple(notes))


def check_one_patient(slices: Sequence[Slice]) -> None:
    """Refuse images of several patients.

    Raises
    ------
    InputError
        Code ``several_patients``.
    """
    patients = {s.patient for s in slices if s.patient}
    if len(patients) > 1:
        raise InputError(
            "The images belong to several patients.",
            expected="one patient's scan",
            got=f"{len(patients)} patient IDs",
            hint="Give the folder of one patient.",
            code="several_patients",
        )


def stacks_of(
    slices: Sequence[Slice], fault_of: Callable[[Slice], tuple[str, str] | None], aside: list[Aside]
) -> list[list[Slice]]:
    """Groups of one series, orientation, size and pixel spacing; images with a fault (code, reason) go to ``aside``."""
    faults: Counter[tuple[str, str, str]] = Counter()
    groups: dict[tuple, list[list[Slice]]] = {}
    for image in slices:
        fault = fault_of(image)
        if fault:
            faults[(series_name(image), *fault)] += 1
            continue
        assert image.pixel_spacing is not None
        spacing = tuple(round(s, 4) for s in image.pixel_spacing)
        alike = groups.setdefault((image.series_uid, image.rows, image.columns, spacing), [])
        for stack in alike:
            if np.abs(np.subtract(stack[0].orientation, image.orientation)).max() <= ORIENTATION_TOLERANCE:  # type: ignore[arg-type]
                stack.append(image)
                break
        else:
            alike.append([image])
    aside += [Aside(series, count, code, reason) for (series, code, reason), count in faults.items()]
    return [stack for alike in groups.values() for stack in alike]


def _fault(image: Slice) -> tuple[str, str] | None:
    """Why one image cannot be part of the NCCT: code and reason."""
    return no_image_fault(image) or _processing_fault(image) or no_place_fault(image)


def no_image_fault(image: Slice) -> tuple[str, str] | None:
    """Why one image is no slice of a scan: code and reason."""
    words = set(image.acquisition.image_type)
    if words & LOCALIZER_WORDS:
        return "localizer", "a localizer"
    if words & DOSE_WORDS:
        return "dose_page", "a dose or summary page"
    if (image.acquisition.sop_class_uid or "").startswith(SECONDARY_CAPTURE):
        return "secondary_capture", "a secondary capture"
    if image.acquisition.modality in OTHER_MODALITIES:
        return "not_a_scan", f"no scan but {image.acquisition.modality}"
    if image.samples != 1:
        return "colour", "a colour picture"
    return None


def _processing_fault(image: Slice) -> tuple[str, str] | None:
    words = set(image.acquisition.image_type)
    if words & REFORMAT_WORDS:
        return "reformat", "a reformat or projection, not the scanned slices"
    if image.acquisition.image_type[:2] == ("DERIVED", "SECONDARY"):
        return "derived", "derived from other images"
    return None


def no_place_fault(image: Slice) -> tuple[str, str] | None:
    """Why the place of one image in the patient is unknown: code and reason."""
    if image.position is None or image.orientation is None:
        return "missing_position", "it does not say where it lies (image position or orientation is missing)"
    if image.pixel_spacing is None or min(image.pixel_spacing) <= 0:
        return "missing_spacing", "it does not say its pixel spacing"
    return None


def _without_reformats(candidates: list[StackGeometry], aside: list[Aside]) -> list[StackGeometry]:
    """Derived stacks go aside while an original one of the same kind of scan is left."""
    originals = [c for c in candidates if "DERIVED" not in c.slices[0].acquisition.image_type]
    if not originals:
        return candidates
    for other in candidates:
        if other not in originals:
            aside.append(Aside(series_name(other.slices[0]), len(other.slices), "derived", "derived from other images"))
    return originals


def _preference(candidates: Sequence[StackGeometry]):
    best_cover = max(min(c.coverage_mm, HEAD_MM) for c in candidates)

    def key(stack: StackGeometry) -> tuple:
        header = stack.slices[0].acquisition
        kernel = (header.convolution_kernel or "").strip()
        thickness = header.slice_thickness_mm or stack.spacing_mm
        return (
            header.modality == "CT",
            min(stack.coverage_mm, HEAD_MM) >= COVERAGE_SHARE * best_cover,
            _is_axial(stack),
            not SHARP_KERNEL.match(kernel),
            not header.names_contrast,
            "PRIMARY" in header.image_type,
            "AXIAL" in header.image_type,
            -abs(thickness - USUAL_THICKNESS_MM),
            stack.coverage_mm,
            -(stack.slices[0].series_number or 0),
        )

    return key


def _is_axial(stack: StackGeometry) -> bool:
    normal = np.cross(stack.step_x, stack.step_y)
    return bool(np.argmax(np.abs(normal)) == 2)


def _refuse_half(best: StackGeometry, other: StackGeometry) -> None:
    """Two axial stacks of one series at two tilts are two halves of a head: neither alone is the scan."""
    if best.slices[0].series_uid == other.slices[0].series_uid and _is_axial(best) and _is_axial(other):
        raise InputError(
            "One series holds two stacks of slices with two orientations or sizes.",
            expected="one stack of parallel slices",
            got=f"{len(best.slices)} and {len(other.slices)} slices",
            hint="Export the part that covers the brain as a series of its own.",
            code="two_orientations",
        )


def _nothing_left(aside: list[Aside], stacks: list[list[Slice]]) -> InputError:
    codes = {item.code for item in aside}
    code = codes.pop() if len(codes) == 1 else "no_usable_series"
    per_series = Counter(stack[0].series_uid for stack in stacks)
    if code == "too_few_slices" and max(per_series.values(), default=0) > 1:
        code = "two_orientations"
        what = f"; one series holds {max(per_series.values())} orientations or sizes"
    else:
        what = ""
    return InputError(
        "No series here is a stack of slices that can be read.",
        expected="a non-contrast head CT of parallel slices with positions",
        got=("; ".join(map(str, aside)) or "no images") + what,
        hint="Give the original axial series, complete.",
        code=code if aside else "no_images",
    )


def series_name(image: Slice) -> str:
    """A series by its number: descriptions can hold names."""
    return f"series {image.series_number}" if image.series_number is not None else "a series without number"
