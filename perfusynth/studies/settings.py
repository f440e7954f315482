"""What decides how studies become case folders; a folder of cases is made with one set of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from perfusynth.ctp_maps.settings import MapSettings

#: Where a perfusion study and another program's maps are both there: whose maps are kept.
Preferred = Literal["ctp", "given"]
#: Longest time between plain CT and perfusion study, minutes: they must show one state of the stroke. [d]
MINUTES = 30.0


@dataclass(frozen=True)
class PrepareSettings:
    """Settings of `prepare`.

    Parameters
    ----------
    minutes
        Longest time from the NCCT to the perfusion study.
    preferred
        ``ctp``: maps are made out of the CTP where there is one; ``given``: maps that came with the study are kept.
    interval_s
        Interval of the CTP's frames, where the files have none.
    keep_ctp
        Write ``ctp.nii.gz``: annotators look at it; 25 to 300 MB a case.
    override
        Codes of head checks that do not refuse a case.
    brain_method
        Name of what finds the brain in the NCCT; in the CTP it is always the built-in method.
    maps
        How a CTP becomes maps.
    """

    minutes: float = MINUTES
    preferred: Preferred = "ctp"
    interval_s: float | None = None
    keep_ctp: bool = True
    override: tuple[str, ...] = ()
    brain_method: str = "builtin"
    maps: MapSettings = field(default_factory=MapSettings)

    def __post_init__(self) -> None:
        if not self.minutes > 0:
            raise ValueError(f"expected minutes above 0, got {self.minutes:g}")

    def as_dict(self) -> Mapping[str, Any]:
        """Plain JSON values of what may differ between two runs of the command."""
        return {
            "minutes": self.minutes,
            "preferred": self.preferred,
            "interval_s": self.interval_s,
            "keep_ctp": self.keep_ctp,
            "override": sorted(self.override),
            "brain_method": self.brain_method,
        }
