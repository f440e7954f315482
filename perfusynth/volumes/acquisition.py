"""What a scan's header says about how it was acquired; the head check reads it beside the voxels."""

import re
from dataclasses import dataclass

#: What sites write into ContrastBolusAgent of plain scans. "NON-IONIC" is a contrast medium all the same.
_NO_CONTRAST = re.compile(
    r"^(?!non[\s_-]*ion)(no(ne|n|t)?|nil|n/?a?|without|w/?o|plain|ohne|kein\w*|sans|sin)(?![a-z0-9])"
    r"|^[0\s.,-]*(ml|cc)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Acquisition:
    """Facts from a DICOM header; ``None`` or empty where the source does not say (NIfTI, NRRD).

    Nothing here identifies a patient.
    """

    modality: str | None = None
    image_type: tuple[str, ...] = ()
    sop_class_uid: str | None = None
    body_part: str | None = None
    series_description: str | None = None
    contrast_agent: str | None = None
    convolution_kernel: str | None = None
    slice_thickness_mm: float | None = None
    gantry_tilt_deg: float | None = None
    patient_position: str | None = None
    manufacturer: str | None = None

    @property
    def names_contrast(self) -> bool:
        """Whether the header names a contrast agent (an entry that says "none" in one way or another does not)."""
        return not _NO_CONTRAST.match((self.contrast_agent or "").strip())
