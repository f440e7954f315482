"""What can be said without looking (the bank's incidence map), and what if site and side were told."""

from functools import cached_property

import numpy as np

from perfusynth.evaluation.information_ceiling.bank import Draws
from perfusynth.evaluation.information_ceiling.posterior import dice_optimal_set
from perfusynth.evaluation.information_ceiling.visible import brain_voxels

#: Draws that stand for the whole bank, or for one site.
DRAWS_KEPT = 3000


class Prior:
    """Dice-optimal sets (of Tmax > 6 s) of the bank itself; those of one side are for the right, to be mirrored.

    Parameters
    ----------
    bank
        Draws of the generator.
    seed
        Of the choice of draws that stand for all.
    """

    def __init__(self, bank: Draws, seed: int = 0):
        self.bank = bank
        self._rng = np.random.default_rng(seed)
        self._by_site: dict[int, np.ndarray] = {}

    def _optimal(self, index: np.ndarray) -> np.ndarray:
        if not len(index):
            return np.zeros(brain_voxels().count, dtype=bool)
        index = self._rng.choice(index, size=min(DRAWS_KEPT, len(index)), replace=False)
        return dice_optimal_set(self.bank.masks(index), np.full(len(index), 1 / len(index)))[0]

    def _to_the_right(self, which: np.ndarray) -> np.ndarray:
        """Twins (draws, or their mirror images) whose region lies mostly on the right."""
        return np.where(self.bank.right_share[which] >= 0.5, which, which + len(self.bank))

    @cached_property
    def both_sides(self) -> np.ndarray:
        """The set for a patient whose side is not looked for: symmetric up to the search's precision."""
        ill = np.flatnonzero(self.bank.region_ml > 0)
        return self._optimal(np.concatenate([ill, ill + len(self.bank)]))

    @cached_property
    def right(self) -> np.ndarray:
        """The set for a patient whose deficit is held to be on the right."""
        return self._optimal(self._to_the_right(np.flatnonzero(self.bank.region_ml > 0)))

    def of_site(self, site: int, right_share: float) -> np.ndarray:
        """The set for a patient whose site (number in `bank.SITES`) and side are told."""
        if site not in self._by_site:
            which = np.flatnonzero((self.bank.sites == site) & (self.bank.region_ml > 0))
            self._by_site[site] = self._optimal(self._to_the_right(which))
        return on_side(self._by_site[site], right=right_share >= 0.5)


def on_side(found: np.ndarray, *, right: bool) -> np.ndarray:
    """A set that was made for the right, on either side."""
    return found if right else found[brain_voxels().mirror]
