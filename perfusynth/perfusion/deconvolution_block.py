"""How maps were deconvolved: the block of ``measurements.json``, and the line that every map's own header carries."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from perfusynth.perfusion.deconvolution.settings import Method
from perfusynth.perfusion.document_types import Block, Millimetres, Number, Seconds, Share, Vector

#: Characters that a NIfTI header has for its description.
DESCRIPTION_LENGTH = 79

#: First words of the description; `perfusynth measure` knows by them what a lone file is.
DESCRIPTION_START = "Deconvolved, research use only"


class InputCurve(Block):
    """The artery or the vein whose curve was used.

    ``voxels`` are indices in the stored order of the series, ``positions_ras_mm`` the places of their centres;
    ``peak_hu`` is the mean curve's maximum above the baseline, HU, at ``peak_s`` on the axis of the frames.
    """

    voxels: list[tuple[int, int, int]] = Field(min_length=1)
    positions_ras_mm: list[Vector] = Field(min_length=1)
    peak_hu: Number | None = None
    peak_s: Number | None = None
    selection: Literal["automatic", "manual"]

    @model_validator(mode="after")
    def _one_position_each(self) -> "InputCurve":
        if len(self.voxels) != len(self.positions_ras_mm):
            raise ValueError(f"expected a position of each of {len(self.voxels)} voxels")
        return self


class MotionCorrected(Block):
    """What the head did between frames: its largest move from the reference, and the frames that were replaced.

    ``corrected_frames`` is how many were moved back; ``interpolated_frames`` are the indices of those that could not
    be and were made from their neighbours in time. ``grade``: nothing touched, all mended, or some of it lost.
    """

    largest_mm: Millimetres
    largest_deg: Annotated[Number, Field(ge=0, description="degrees")]
    corrected_frames: int = Field(0, ge=0)
    interpolated_frames: list[int] = Field(default_factory=list)
    grade: Literal["none", "mended", "partly_mended"] | None = None


class Deconvolution(Block):
    """Method and constants. What is not known of somebody else's maps is absent.

    ``threshold`` (csvd, ssvd) or ``oscillation`` (osvd) truncates the inversion; ``haematocrit_factor`` is kH;
    ``baseline_frames`` are the frames before the contrast; ``partial_volume_factor`` is what the arterial input was
    multiplied with to reach the venous one's area; ``smoothing_mm`` the sigma of the Gaussian over the curves, in plane
    and across slices.
    """

    method: Method | None = None
    threshold: Share | None = None
    oscillation: Share | None = None
    haematocrit_factor: Share | None = None
    density_g_per_ml: Number | None = None
    frame_interval_s: Seconds | None = None
    frames: int | None = Field(None, ge=1)
    baseline_frames: int | None = Field(None, ge=0)
    aif: InputCurve | None = None
    vof: InputCurve | None = None
    partial_volume_factor: Number | None = None
    smoothing_mm: tuple[Millimetres, Millimetres] | None = None
    motion: MotionCorrected | None = None
    notes: list[str] = Field(default_factory=list)


def deconvolution_description(block: Deconvolution) -> str:
    """Method and constants in the 79 ASCII characters of a NIfTI header's description; what does not fit is left out.

    ``Deconvolved, research use only; csvd 0.1; kH 0.73; 1.05 g/mL; smoothed 2.8 mm``.
    """
    limit = block.oscillation if block.method == "osvd" else block.threshold
    method = " ".join(filter(None, [block.method, None if limit is None else f"{limit:g}"]))
    parts = [
        method,
        "" if block.haematocrit_factor is None else f"kH {block.haematocrit_factor:g}",
        "" if block.density_g_per_ml is None else f"{block.density_g_per_ml:g} g/mL",
        "" if block.smoothing_mm is None else f"smoothed {block.smoothing_mm[0]:g} mm",
    ]
    line = DESCRIPTION_START
    for part in filter(None, parts):
        if len(line) + len(part) + 2 <= DESCRIPTION_LENGTH:
            line += f"; {part}"
    return line
