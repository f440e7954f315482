"""What a scan's header says about how it was acquired; the head check reads it beside the voxels."""

from dataclasses import dataclass


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
