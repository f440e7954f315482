"""What is measured on a result's maps: volumes by Tmax threshold, core, mismatch, HIR, side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .region_settings import RegionSettings

#: How far a set of numbers can be relied on: thresholds alone, shown while a slider moves; cleaned as the server
#: does; after a reader edited a region; out of the server's own document.
PROVISIONAL, CLEANED, EDITED, FROM_SERVER = "provisional", "cleaned", "edited", "server"

#: Sides of the hypoperfusion.
RIGHT, LEFT, BILATERAL, NO_SIDE = "right", "left", "bilateral", "none"


@dataclass(frozen=True)
class Laterality:
    """Where the hypoperfusion lies: side, mL right and left of the midplane, the right's share (absent without any)."""

    side: str
    right_ml: float
    left_ml: float
    right_share: float | None


def laterality(right_ml: float, left_ml: float, side_share: float) -> Laterality:
    """Name the side of a region of ``right_ml`` and ``left_ml`` when it holds at least ``side_share`` of it."""
    total = right_ml + left_ml
    if total <= 0:
        return Laterality(NO_SIDE, 0.0, 0.0, None)
    share = right_ml / total
    side = RIGHT if share >= side_share else LEFT if 1 - share >= side_share else BILATERAL
    return Laterality(side, right_ml, left_ml, share)


@dataclass(frozen=True, eq=False)
class Measurements:
    """Numbers of one result at one moment, and the regions that they are the volumes of.

    Parameters
    ----------
    kind
        `PROVISIONAL`, `CLEANED`, `EDITED` or `FROM_SERVER`.
    threshold_s
        The free Tmax threshold, s; of an edited region the one that it was edited from.
    region_ml, region
        Volume and bool array (whole grid) of Tmax above it, or of the edited region; no array from the server.
    volumes_ml
        By threshold of the settings, s; they never change by an edit.
    core_ml, core, normal_cbf, core_cbf
        Core estimate inside the hypoperfusion (after an edit: inside the edited region), its bool array, CBF of normal
        tissue and the cut-off, mL/100 g/min. ``None`` where no normal tissue is left to compare with.
    mismatch_ml, mismatch_ratio, mismatch_ratio_infinite
        Hypoperfusion - core, hypoperfusion / core; the ratio is ``None`` where the core is 0, and infinite where there
        is hypoperfusion besides. They stay those of 6 s when the free threshold moves.
    hir
        V(Tmax>10) / V(Tmax>6), after an edit both inside the edited region; ``None`` without hypoperfusion.
    laterality
        ``None`` where the midplane is not known.
    brain_ml, outside_brain_ml
        Volume of the brain mask, and of what an edited region holds outside it.
    """

    kind: str
    threshold_s: float
    region_ml: float
    volumes_ml: Mapping[float, float]
    core_ml: float | None
    normal_cbf: float | None
    core_cbf: float | None
    hir: float | None
    laterality: Laterality | None
    brain_ml: float
    settings: RegionSettings
    region: np.ndarray | None = field(default=None, repr=False)
    core: np.ndarray | None = field(default=None, repr=False)
    outside_brain_ml: float = 0.0

    @property
    def hypoperfusion_ml(self) -> float:
        """Volume that mismatch and HIR are taken of: Tmax > 6 s, or the edited region, mL."""
        return self.region_ml if self.kind == EDITED else self.volumes_ml[self.settings.hypoperfusion_s]

    @property
    def mismatch_ml(self) -> float | None:
        """Hypoperfusion - core, mL."""
        return None if self.core_ml is None else self.hypoperfusion_ml - self.core_ml

    @property
    def mismatch_ratio(self) -> float | None:
        """Hypoperfusion / core; ``None`` where the core is 0 or not measured."""
        return self.hypoperfusion_ml / self.core_ml if self.core_ml else None

    @property
    def mismatch_ratio_infinite(self) -> bool:
        """Whether there is hypoperfusion and no core."""
        return self.core_ml == 0 and self.hypoperfusion_ml > 0
