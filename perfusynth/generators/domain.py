"""How unlike the training patients a head is: the reference in a bundle, and the verdict on one head.

Two distances (Mahalanobis, root mean square over the numbers, so that 1 is ordinary): of the network's own features
(Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples", arXiv 1807.03888), and of plain
figures of the image, to which those may be blind. Each is divided by its median among patients who were not fitted
on; the score is the larger of the two. The reference is made by `perfusynth.evaluation.domain`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from perfusynth.errors import InputError
from perfusynth.generators.head_statistics import STATISTICS
from perfusynth.generators.head_view import HeadView
from perfusynth.perfusion.document_types import Sha256

#: The reference's place in a bundle.
DOMAIN_FILE = Path("configs") / "domain.json"
#: Share of the patients held out of the fit who are less unusual than the limit [d].
LIMIT_SHARE = 0.99
#: A plain figure sticks out when it lies so many SD from the mean of the training patients: one in 2000 normally
#: distributed ones does [d].
STANDS_OUT_SD = 3.5

NOT_MEASURED = "This model has no reference of the patients it was trained on."
OTHER_WEIGHTS = "The reference of the training patients was made with other weights than this model's."
NOT_HEARD = "The generator gave no features of the head."


class Cloud(BaseModel):
    """Mean and inverse covariance of numbers over training patients; the inverse as its upper triangle, row by row.

    ``median`` is the median distance of patients held out of the fit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    mean: list[float] = Field(min_length=1)
    precision: list[float]
    median: float = Field(gt=0)

    @model_validator(mode="after")
    def _triangle(self) -> "Cloud":
        n = len(self.mean)
        if len(self.precision) != n * (n + 1) // 2:
            raise ValueError(f"expected {n * (n + 1) // 2} numbers of the precision, got {len(self.precision)}")
        return self

    def distance(self, values: np.ndarray) -> float:
        """Distance of one head's numbers ``(n,)``; 1 is that of the median patient."""
        return distance(values, np.array(self.mean), from_triangle(self.precision, len(self.mean))) / self.median


def distance(values: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> float:
    """Mahalanobis distance over the square root of the number of values."""
    apart = np.asarray(values, dtype=float) - mean
    return float(np.sqrt(max(apart @ precision @ apart, 0.0) / len(mean)))


def from_triangle(upper: list[float], n: int) -> np.ndarray:
    """The symmetric matrix ``(n, n)`` whose upper triangle, row by row, is given."""
    matrix = np.zeros((n, n))
    matrix[np.triu_indices(n)] = upper
    return matrix + np.triu(matrix, 1).T


class DomainReference(BaseModel):
    """``configs/domain.json``: what training patients look like.

    Parameters
    ----------
    features, image
        Clouds of the network's features and of the plain figures (in the order of ``statistics``).
    statistics
        Names, mean and SD of the plain figures.
    scores
        Quantiles of the score at even shares (0, 1/n, ... 1) among patients held out of the fit.
    limit
        Score above which a head is unusual: `LIMIT_SHARE` of the held-out patients lie below.
    patients, held_out
        How many were fitted on, and how many give ``scores``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    features: Cloud
    image: Cloud
    statistics: dict[str, tuple[float, float]]
    scores: list[float] = Field(min_length=2)
    limit: float = Field(gt=0)
    patients: int = Field(ge=2)
    held_out: int = Field(ge=2)
    fit_seeds: str
    held_out_seeds: str
    phantom_version: str
    phantom_hash: Sha256
    weights_sha256: Sha256

    @model_validator(mode="after")
    def _known(self) -> "DomainReference":
        if list(self.statistics) != list(STATISTICS) or len(self.image.mean) != len(STATISTICS):
            raise ValueError(f"expected the figures {', '.join(STATISTICS)}, got {', '.join(self.statistics)}")
        if self.scores != sorted(self.scores):
            raise ValueError("expected scores that ascend")
        return self

    def score(self, view: HeadView) -> tuple[float, float]:
        """Distance of the network's features and of the plain figures, each 1 for the median patient."""
        return self.features.distance(view.features), self.image.distance(statistics_vector(view.statistics))


def statistics_vector(statistics: Mapping[str, float]) -> np.ndarray:
    """The plain figures in the order of `STATISTICS`."""
    return np.array([statistics[name] for name in STATISTICS], dtype=float)


def read_domain(bundle: Path) -> DomainReference | None:
    """The reference of a bundle's folder; None where it has none.

    Raises
    ------
    InputError
        Code ``bad_domain``.
    """
    path = bundle / DOMAIN_FILE
    if not path.exists():
        return None
    try:
        return DomainReference.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as fault:
        raise InputError(
            f"The training patients' reference of {bundle.name} cannot be read.",
            expected=f"{DOMAIN_FILE.as_posix()} as `perfusynth calibrate` writes it",
            got=f"{type(fault).__name__} while reading it",
            hint="Calibrate the bundle again, or remove the file: results then have no out-of-domain score.",
            code="bad_domain",
        ) from None


def domain_block(reference: DomainReference | None, view: HeadView | None, weights_sha256: str) -> dict[str, Any]:
    """The block ``domain`` of ``measurements.json``.

    Parameters
    ----------
    reference
        Of the model's bundle.
    view
        Of the head; None from a generator that gives none.
    weights_sha256
        Of the model: a reference of other weights is not used.
    """
    if reference is None:
        return {"verdict": "not measured", "text": NOT_MEASURED}
    if reference.weights_sha256 != weights_sha256:
        return {"verdict": "not measured", "text": OTHER_WEIGHTS}
    if view is None or len(view.features) != len(reference.features.mean):
        return {"verdict": "not measured", "text": NOT_HEARD}
    network, image = reference.score(view)
    score = max(network, image)
    shares = np.linspace(0, 100, len(reference.scores))
    percentile = float(np.interp(score, reference.scores, shares))
    unusual = score > reference.limit
    less = "all" if percentile >= 100 else f"{percentile:.0f} %"
    text = (
        f"{'Unlike the patients the model was trained on' if unusual else 'Like the patients the model was trained on'}"
        f": distance {score:.2f} (1 is the median, {reference.limit:.2f} the limit); {less} of the "
        f"{reference.held_out} held-out patients are less unusual."
    )
    return {
        "verdict": "unusual" if unusual else "usual",
        "score": score,
        "limit": reference.limit,
        "percentile": percentile,
        "network": network,
        "image": image,
        "unusual": stands_out(reference, view.statistics),
        "text": text,
    }


def stands_out(reference: DomainReference, statistics: Mapping[str, float]) -> list[str]:
    """The plain figures that lie far from the training patients', in words, the farthest first."""
    found = []
    for name, (mean, sd) in reference.statistics.items():
        apart = (statistics[name] - mean) / sd
        if abs(apart) > STANDS_OUT_SD:
            side = "above" if apart > 0 else "below"
            words = f"{STATISTICS[name]}: {statistics[name]:.3g}, {side} the usual {mean:.3g} (SD {sd:.2g})"
            found.append((abs(apart), words))
    return [words for _, words in sorted(found, reverse=True)]
