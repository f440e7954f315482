"""Everything that decides how a perfusion series becomes maps."""

from dataclasses import dataclass, field

from perfusynth.perfusion.deconvolution.settings import DeconvolutionSettings
from perfusynth.perfusion.regions import RegionSettings
from perfusynth.perfusion.series.arteries import ArterySettings
from perfusynth.perfusion.series.baseline import BolusSettings
from perfusynth.perfusion.series.smoothing import SmoothingSettings
from perfusynth.perfusion.series.timing import TimingSettings
from perfusynth.perfusion.series.tissue import TissueSettings
from perfusynth.registration.motion_settings import MotionSettings

#: SD of a smoothing that leaves nothing of a map, mm (the project's own choice).
MAX_SMOOTHING_MM = 20.0


@dataclass(frozen=True)
class MapSettings:
    """Settings of each step, in the order of the steps.

    Parameters
    ----------
    motion
        ``None``: frames are taken as they are.
    aif_position_mm
        Position (RAS mm) of the artery that a reader chose; ``None``: it is chosen automatically.
    device
        Where curves are deconvolved: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:N``.
    """

    timing: TimingSettings = field(default_factory=TimingSettings)
    motion: MotionSettings | None = field(default_factory=MotionSettings)
    bolus: BolusSettings = field(default_factory=BolusSettings)
    arteries: ArterySettings = field(default_factory=ArterySettings)
    aif_position_mm: tuple[float, float, float] | None = None
    tissue: TissueSettings = field(default_factory=TissueSettings)
    smoothing: SmoothingSettings = field(default_factory=SmoothingSettings)
    deconvolution: DeconvolutionSettings = field(default_factory=DeconvolutionSettings)
    regions: RegionSettings = field(default_factory=RegionSettings)
    device: str = "auto"

    def __post_init__(self) -> None:
        widths = (self.smoothing.in_plane_mm, self.smoothing.across_mm)
        if not all(0 <= width < MAX_SMOOTHING_MM for width in widths):
            raise ValueError(f"expected smoothing of 0 to {MAX_SMOOTHING_MM:g} mm, got {max(widths, key=abs):g}")
