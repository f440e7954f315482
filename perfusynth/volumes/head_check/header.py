"""What the header says against synthesis: modality, kind of image, body part, contrast, kernel, slice thickness."""

import re

from perfusynth.volumes.acquisition import Acquisition
from perfusynth.volumes.findings import Finding
from perfusynth.volumes.head_check.limits import HeadCheckLimits

#: SOP classes of CT: CT Image, Enhanced CT, Legacy Converted Enhanced CT (DICOM PS3.4 B.5).
CT_SOP_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
)
#: Secondary Capture and its multi-frame forms begin so.
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
#: Words of ImageType (0008,0008) that name images whose values are no attenuation of a slice.
_NO_SLICE = {"PERFUSION", "RCBF", "RCBV", "CBF", "CBV", "MTT", "TTP", "TMAX", "MIP", "MINIP", "MAX_IP", "MIN_IP"} | {
    "PROJECTION IMAGE", "VOLUME_RENDER", "VRT", "SSD", "SUBTRACTION", "DOSE_INFO", "RGB", "IODINE", "VNC"
}  # fmt: skip
_REFORMATTED = {"MPR", "REFORMATTED", "RESAMPLED", "AVERAGE", "MEAN", "CSA MPR", "CURVED_MPR"}
_HEAD = ("HEAD", "BRAIN", "SKULL", "CRAN", "NEURO", "KOPF", "SCHAEDEL", "SCHÄDEL", "TETE", "CEREBR", "ENCEPH", "IAC")
#: Sharp kernels: GE, Siemens (from 60), Canon (FC30-39, FC80-89), Philips (D, E, Y*).
_SHARP = re.compile(r"BONE|EDGE|LUNG|ULTRA|^[HBUJ][a-z]?[6-9]\d|^FC[38]\d$|^(D|E|YA|YB|YC|YD|YE)$|SHARP", re.IGNORECASE)


def header_findings(acquisition: Acquisition, limits: HeadCheckLimits) -> list[Finding]:
    """Findings from the header alone; a source without a header (NIfTI, NRRD) gives none."""
    return [
        *_modality(acquisition),
        *_image_type(acquisition),
        *_body_part(acquisition),
        *_contrast(acquisition),
        *_kernel(acquisition),
        *_thickness(acquisition, limits),
    ]


def _modality(acquisition: Acquisition) -> list[Finding]:
    if acquisition.modality and acquisition.modality.strip().upper() != "CT":
        message = "This is not a CT; give the non-contrast CT of the head."
        return [Finding("not_ct", "refuse", message, "modality CT", f"modality {acquisition.modality.strip()}")]
    return []


def _image_type(acquisition: Acquisition) -> list[Finding]:
    uid = (acquisition.sop_class_uid or "").strip()
    words = [word.strip().upper() for word in acquisition.image_type]
    got = "ImageType " + "\\".join(words)
    if uid == SECONDARY_CAPTURE or uid.startswith(SECONDARY_CAPTURE + ".") or "SCREEN SAVE" in words:
        message = "This is a secondary capture, a picture of a screen; give the original CT slices."
        return [Finding("secondary_capture", "refuse", message, "SOP class CT Image Storage", f"{uid or got}")]
    if "LOCALIZER" in words:
        message = "This is a localizer (scout view); give the axial series."
        return [Finding("localizer", "refuse", message, "ImageType ORIGINAL\\PRIMARY\\AXIAL", got)]
    if _NO_SLICE.intersection(words):
        message = "This is a map or projection computed from other images; give the original CT slices."
        return [Finding("derived_image", "refuse", message, "ImageType ORIGINAL\\PRIMARY\\AXIAL", got)]
    if (words and words[0] == "DERIVED") or _REFORMATTED.intersection(words):
        message = "The series is derived (a reformat or average); the original axial slices would be better."
        return [Finding("derived_image", "warn", message, "ImageType ORIGINAL\\PRIMARY\\AXIAL", got)]
    return []


def _body_part(acquisition: Acquisition) -> list[Finding]:
    part = (acquisition.body_part or "").strip().upper()
    told = f"{part} {(acquisition.series_description or '').upper()}"
    if not part or any(word in told for word in _HEAD):
        return []
    # Body part is wrong in 15 % of CT headers (Gueld 2002, SPIE 4685:280): the picture decides, the header warns.
    message = "The header names another body part than the head; check that this is the right series."
    return [Finding("wrong_body_part", "warn", message, "BodyPartExamined HEAD or BRAIN", f"BodyPartExamined {part}")]


def _contrast(acquisition: Acquisition) -> list[Finding]:
    if not acquisition.names_contrast:
        return []
    message = "The header names a contrast agent; use the series taken before contrast, or check that none was given."
    # Free text, in which people's names have been found: it is not repeated.
    got = "an entry in ContrastBolusAgent"
    return [Finding("contrast_in_vessels", "warn", message, "no contrast agent in the header", got)]


def _kernel(acquisition: Acquisition) -> list[Finding]:
    kernel = (acquisition.convolution_kernel or "").strip()
    if not _SHARP.search(kernel):
        return []
    message = "The series has a sharp (bone) kernel, whose noise hides early ischaemia; give the brain kernel."
    return [Finding("bone_kernel", "warn", message, "a soft-tissue kernel", f"kernel {kernel}")]


def _thickness(acquisition: Acquisition, limits: HeadCheckLimits) -> list[Finding]:
    return thickness_finding(acquisition.slice_thickness_mm, limits)


def thickness_finding(thickness_mm: float | None, limits: HeadCheckLimits) -> list[Finding]:
    """Slices (or the spacing between them) that are too thick, mm."""
    if thickness_mm is None or thickness_mm <= limits.thick_warn_mm:
        return []
    got = f"{thickness_mm:.1f} mm"
    if thickness_mm > limits.thick_refuse_mm:
        message = "The slices are too thick for a map; give a series with thinner slices."
        return [Finding("too_thick_slices", "refuse", message, f"at most {limits.thick_refuse_mm:g} mm", got)]
    message = "The slices are thick: small signs are averaged away; a thinner series would be better."
    return [Finding("too_thick_slices", "warn", message, f"at most {limits.thick_warn_mm:g} mm", got)]
