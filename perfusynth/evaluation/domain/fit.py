"""Fits the reference of the out-of-domain score to training patients and to others held out of the fit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perfusynth.errors import InputError
from perfusynth.generators.domain import (
    LIMIT_SHARE,
    Cloud,
    DomainReference,
    distance,
    from_triangle,
    statistics_vector,
)
from perfusynth.generators.head_statistics import STATISTICS
from perfusynth.generators.head_view import HeadView
from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash

#: Significant digits that are kept: the distance changes by less than 1e-3.
DIGITS = 7
#: Least SD of a number relative to its mean: one that never moves must not make every rounding error unusual [d].
SD_FLOOR = 1e-3
#: Shares at which the held-out scores' quantiles are kept: every half per cent.
QUANTILES = 201


@dataclass(frozen=True)
class DomainSettings:
    """How many patients a reference needs: enough for a covariance of some 130 numbers with shrinkage [d].

    ``held_out_minimum`` patients tell a limit that 1 % of them exceed.
    """

    fit_minimum: int = 300
    held_out_minimum: int = 300


def fit_reference(
    fitted: Sequence[HeadView],
    held_out: Sequence[HeadView],
    *,
    fit_seeds: str,
    held_out_seeds: str,
    weights_sha256: str,
    settings: DomainSettings | None = None,
) -> DomainReference:
    """The reference from views of training patients and of patients held out of the fit.

    Raises
    ------
    InputError
        Code ``few_patients``.
    """
    settings = settings or DomainSettings()
    for name, views, least in (
        ("training", fitted, settings.fit_minimum),
        ("held-out", held_out, settings.held_out_minimum),
    ):
        if len(views) < least:
            raise InputError(
                f"These are too few {name} patients for an out-of-domain score.",
                expected=f"at least {least}",
                got=str(len(views)),
                hint="Draw more patients; a smaller number must be asked for by name.",
                code="few_patients",
            )
    features = _cloud(np.array([view.features for view in fitted]), np.array([view.features for view in held_out]))
    plain, plain_held_out = (np.array([statistics_vector(view.statistics) for view in v]) for v in (fitted, held_out))
    image = _cloud(plain, plain_held_out)
    scores = np.maximum(
        [features.distance(view.features) for view in held_out], [image.distance(row) for row in plain_held_out]
    )
    return DomainReference(
        features=features,
        image=image,
        statistics={
            name: (_short(mean), _short(sd))
            for name, mean, sd in zip(STATISTICS, plain.mean(axis=0), _spread(plain), strict=True)
        },
        scores=[_short(q) for q in np.quantile(scores, np.linspace(0, 1, QUANTILES))],
        limit=_short(np.quantile(scores, LIMIT_SHARE, method="weibull")),
        patients=len(fitted),
        held_out=len(held_out),
        fit_seeds=fit_seeds,
        held_out_seeds=held_out_seeds,
        phantom_version=PHANTOM_VERSION,
        phantom_hash=parameter_hash(),
        weights_sha256=weights_sha256,
    )


def _cloud(values: np.ndarray, held_out: np.ndarray) -> Cloud:
    """Cloud of ``(patients, n)``; shrinkage on standardised numbers, so that units do not decide what is shrunk."""
    from sklearn.covariance import LedoitWolf

    mean, sd = values.mean(axis=0), _spread(values)
    precision = LedoitWolf(assume_centered=True).fit((values - mean) / sd).precision_ / np.outer(sd, sd)
    upper = [_short(number) for number in precision[np.triu_indices(len(mean))]]
    centre = [_short(number) for number in mean]
    kept = from_triangle(upper, len(mean))
    median = np.median([distance(row, np.array(centre), kept) for row in held_out])
    return Cloud(mean=centre, precision=upper, median=float(median))


def _spread(values: np.ndarray) -> np.ndarray:
    """SD of each number over ``(patients, n)``, not below its floor."""
    return np.maximum(values.std(axis=0), SD_FLOOR * (np.abs(values.mean(axis=0)) + SD_FLOOR))


def _short(number: float) -> float:
    return float(f"{float(number):.{DIGITS}g}")
