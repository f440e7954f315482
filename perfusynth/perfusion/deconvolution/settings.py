"""How curves are deconvolved: method, threshold and constants, as they are stored with every map."""

from dataclasses import dataclass
from typing import Literal, get_args

Method = Literal["csvd", "osvd", "ssvd"]

#: Names of the methods.
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True)
class DeconvolutionSettings:
    """Method and constants.

    Parameters
    ----------
    method
        ``osvd``: block-circulant SVD, which delay does not change, truncated for each voxel until its residue function
        oscillates little (Wu et al., Magn Reson Med 2003;50:164); ``csvd``: the same with one truncation for all (same
        source); ``ssvd``: the standard SVD (Ostergaard et al., Magn Reson Med 1996;36:715), whose CBF falls with delay,
        for comparison. The default mixes flow with transit time least, and noise raises its small flows least
        (docs/perfusion.md).
    threshold
        csvd, ssvd: singular values below this share of the largest are dropped (0.1-0.2 in the literature).
    oscillation, least_threshold
        osvd: largest oscillation index that is accepted (0.035-0.1; 0.035 in Wu et al.), and the least threshold that
        is tried (the project's own choice: below it, curves of 60 s without noise change by more than 3 % with delay).
    haematocrit_factor, density_g_per_ml
        kH = (1 - Hct of large vessels) / (1 - Hct of capillaries) (0.73-0.85 in use), and the density of brain.
    earliest_s, latest_s
        Lags among which the maximum of a residue function is looked for; negative ones are for tissue that fills before
        the artery that was chosen, and beyond the latest lie the echoes of curves that were cut off.
    """

    method: Method = "osvd"
    threshold: float = 0.10
    oscillation: float = 0.035
    least_threshold: float = 0.008
    haematocrit_factor: float = 0.73
    density_g_per_ml: float = 1.05
    earliest_s: float = -4.0
    latest_s: float = 20.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"expected a method among {METHODS}, got {self.method!r}")
        limits = (self.threshold, self.oscillation, self.least_threshold)
        if not all(0 < limit < 1 for limit in limits):
            raise ValueError(f"expected thresholds between 0 and 1, got {limits}")
        if not 0 < self.haematocrit_factor <= 1 or self.density_g_per_ml <= 0:
            raise ValueError("expected 0 < haematocrit_factor <= 1 and a density above 0")
        if not self.earliest_s <= 0 < self.latest_s:
            raise ValueError(f"expected earliest_s <= 0 < latest_s, got {self.earliest_s} and {self.latest_s}")

    @property
    def flow_unit(self) -> float:
        """mL/100 g/min of a residue function of 1/s."""
        return 6000 * self.haematocrit_factor / self.density_g_per_ml

    @property
    def volume_unit(self) -> float:
        """mL/100 g of a ratio of areas."""
        return 100 * self.haematocrit_factor / self.density_g_per_ml
