"""The information ceiling: how well any method could mark the Tmax > 6 s region of these patients from their NCCT.

For every test patient the summaries are measured in his rendered NCCT; all draws of the bank and their mirror images
are weighted by how likely they would show the same; the set with the largest expected Dice under these weights is
held against the patient's own region. The mean over patients with a deficit is the ceiling U.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perfusynth.evaluation.information_ceiling.bank import SITES, Draws, draws_of
from perfusynth.evaluation.information_ceiling.measurement import measure
from perfusynth.evaluation.information_ceiling.observer import Observer
from perfusynth.evaluation.information_ceiling.posterior import (
    MINIMUM_EFFECTIVE_TWINS,
    dice,
    dice_optimal_set,
    representatives,
    twin_weights,
    weighted_quantiles,
)
from perfusynth.evaluation.information_ceiling.prior import Prior, on_side
from perfusynth.evaluation.information_ceiling.sign import SignCuts, sign_of
from perfusynth.evaluation.information_ceiling.visible import NAMES, TISSUE, mirrored_parts
from perfusynth.perfusion.regions import RegionSettings
from perfusynth.phantom.patient import draw_patient

#: Smaller regions are no deficit, mL: what clean-up drops everywhere else.
DEFICIT_ML = RegionSettings().minimum_ml
#: A side is named when it holds at least this share of a region (else both).
SIDE_SHARE = RegionSettings().side_share
#: Largest share of patients without deficit who may be given `FALSE_POSITIVE_ML` or more [DESIGN].
FALSE_POSITIVE_SHARE, FALSE_POSITIVE_ML = 0.10, 15.0
#: Ends of the 90 % interval of the volume.
INTERVAL = (0.05, 0.95)


@dataclass(frozen=True, eq=False)
class Patients:
    """Test patients: what they have, what was measured in their NCCT, and how clots show there (`Measured`).

    ``measured`` is ``(n, summaries)``, ``gain`` ``(n, pieces, parts)``.
    """

    truth: Draws
    measured: np.ndarray
    gain: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)


def render_patients(seeds: range) -> dict[str, np.ndarray]:
    """Draw, render and measure test patients (about 1.5 s each): the arrays of `Patients`."""
    patients = [draw_patient(seed) for seed in seeds]
    found = [measure(patient) for patient in patients]
    seen = {"measured": np.stack([m.values for m in found]), "gain": np.stack([m.gain for m in found])}
    return {**vars(draws_of(patients)), **seen}


@dataclass(frozen=True)
class PatientCeiling:
    """One test patient; Dice are None where there is nothing to find, sides are "left", "right" or "both".

    Parameters
    ----------
    dice, expected_dice
        Of the Dice-optimal set given a deficit; what the posterior expected of it.
    dice_core
        The same for the core.
    dice_prior, dice_both_sides
        Of the bank's incidence map on the side of the fixed rule; on both.
    dice_told
        Of the optimal set when site and side are told, and nothing else.
    deficit_probability, right_probability
        Posterior probability of a deficit; that it is on the right given that it has a side.
    volume_ml, low_ml, high_ml
        Posterior mean and 90 % interval of the volume; ``marked_ml`` of the set.
    """

    seed: int
    site: str
    side: str
    sign_clot: bool
    sign_core: bool
    truth_ml: float
    truth_core_ml: float
    dice: float | None
    expected_dice: float
    dice_core: float | None
    dice_prior: float | None
    dice_both_sides: float | None
    dice_told: float | None
    deficit_probability: float
    right_probability: float
    volume_ml: float
    low_ml: float
    high_ml: float
    marked_ml: float
    effective_twins: float
    inflation: float

    @property
    def ill(self) -> bool:
        """Whether there is a deficit to find."""
        return self.truth_ml >= DEFICIT_ML

    @property
    def sign(self) -> bool:
        """Whether clot or core is visible."""
        return self.sign_clot or self.sign_core

    @property
    def side_right(self) -> float | None:
        """1 where the more probable side is the patient's, 0 where not; None without a side."""
        if not self.ill or self.side == "both":
            return None
        return float((self.right_probability > 0.5) == (self.side == "right"))


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is known of one patient: probability of Tmax > 6 s and the Dice-optimal set, ``(voxels,)``; his figures."""

    probability: np.ndarray
    marked: np.ndarray
    figures: PatientCeiling


def _side(right_share: float) -> str:
    return "right" if right_share >= SIDE_SHARE else "left" if right_share <= 1 - SIDE_SHARE else "both"


def darker_side_is_right(measured: np.ndarray) -> bool:
    """The fixed rule for a side: the half whose regions' HU sum to less."""
    tissue = measured[TISSUE]
    left, right = (
        sum(value for name, value in zip(NAMES[TISSUE], tissue, strict=True) if name.endswith(side))
        for side in (" left", " right")
    )
    return bool(right < left)


class Ceiling:
    """Posteriors of patients under one bank and one observer; ``minimum_twins`` as in `twin_weights`."""

    def __init__(self, bank: Draws, observer: Observer, cuts: SignCuts, minimum_twins: float = MINIMUM_EFFECTIVE_TWINS):
        self.bank, self.observer, self.cuts, self.minimum_twins = bank, observer, cuts, minimum_twins
        self.prior = Prior(bank)
        self._parts = np.concatenate([bank.parts, mirrored_parts(bank.parts)])
        self._volumes = np.tile(bank.region_ml, 2)
        self._right_share = np.concatenate([bank.right_share, 1 - bank.right_share])

    def prepare(self, sites: np.ndarray) -> None:
        """Make the prior's sets beforehand, so that threads only read them."""
        for site in np.unique(sites):
            self.prior.of_site(int(site), 1.0)
        _ = self.prior.both_sides, self.prior.right, self._voxel_ml

    def posterior(self, patients: Patients, number: int) -> Posterior:
        """What the NCCT of one of the patients lets know."""
        truth = patients.truth
        # A twin is asked what he would show in this image, through these voxels.
        shown = self.observer.summaries(self._parts, patients.gain[number])
        apart = self.observer.whitened(shown - (patients.measured[number] - self.observer.mean).astype(np.float32))
        twins = twin_weights((apart**2).sum(axis=1), self.minimum_twins)
        rng = np.random.default_rng(int(truth.seeds[number]))
        index, weights = representatives(twins.weights, rng)
        regions = self.bank.masks(index)
        marked, expected = dice_optimal_set(regions, weights)
        cores = self.bank.masks(index, core=True)
        core_marked, _ = dice_optimal_set(cores, weights)
        own, own_core = (truth.masks(np.array([number]), core=core)[0] for core in (False, True))
        own_ml, own_core_ml = float(truth.region_ml[number]), float(truth.core_ml[number])
        ill = own_ml >= DEFICIT_ML
        deficit = self._volumes >= DEFICIT_ML
        one_sided = deficit & (np.abs(self._right_share - 0.5) >= SIDE_SHARE - 0.5)
        to_right = float(twins.weights[one_sided & (self._right_share > 0.5)].sum())
        low, high = weighted_quantiles(self._volumes, twins.weights, INTERVAL)
        sign = sign_of(truth.parts[number], self.observer, self.cuts)
        by_rule = on_side(self.prior.right, right=darker_side_is_right(patients.measured[number]))
        told = self.prior.of_site(int(truth.sites[number]), float(truth.right_share[number]))
        voxel_ml = own_ml / np.count_nonzero(own) if own.any() else float(self._voxel_ml)
        figures = PatientCeiling(
            seed=int(truth.seeds[number]),
            site=SITES[truth.sites[number]],
            side=_side(float(truth.right_share[number])) if ill else "none",
            sign_clot=sign["clot"],
            sign_core=sign["core"],
            truth_ml=own_ml,
            truth_core_ml=own_core_ml,
            dice=dice(marked, own) if ill else None,
            expected_dice=expected,
            dice_core=dice(core_marked, own_core) if own_core.any() else None,
            dice_prior=dice(by_rule, own) if ill else None,
            dice_both_sides=dice(self.prior.both_sides, own) if ill else None,
            dice_told=dice(told, own) if ill else None,
            deficit_probability=float(twins.weights[deficit].sum()),
            right_probability=to_right / max(float(twins.weights[one_sided].sum()), 1e-12),
            volume_ml=float(twins.weights @ self._volumes),
            low_ml=float(low),
            high_ml=float(high),
            marked_ml=float(np.count_nonzero(marked) * voxel_ml),
            effective_twins=twins.effective,
            inflation=twins.inflation,
        )
        return Posterior(weights @ regions, marked, figures)

    @cached_property
    def _voxel_ml(self) -> float:
        """Of an average head, mL."""
        some = np.flatnonzero(self.bank.region_ml > 0)[:200]
        counts = np.count_nonzero(self.bank.masks(some), axis=1)
        return float(np.mean(self.bank.region_ml[some] / np.maximum(counts, 1))) if len(some) else 0.05
