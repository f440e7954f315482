"""Agreement of volumes: bias, limits of agreement (Bland and Altman 1986), ICC, mean absolute error, all in mL."""

from collections.abc import Callable

import numpy as np

from perfusynth.evaluation.information_ceiling.agreement import icc
from perfusynth.evaluation.model_figures.bootstrap import Estimate, estimate, mean_of

#: Half the width of the limits of agreement, in SD of the differences.
LIMITS_SD = 1.96


def limit_of_agreement(difference: np.ndarray, sds: float) -> float | None:
    """Bias plus so many SD of the differences (made minus true), mL; None of fewer than two patients."""
    if len(difference) < 2:
        return None
    return float(difference.mean() + sds * difference.std(ddof=1))


def agreement_of(true: np.ndarray, made: np.ndarray) -> dict[str, Estimate]:
    """``bias_ml``, ``limits_low_ml``, ``limits_high_ml``, ``absolute_error_ml``, ``icc`` (A,1) of volumes ``(n,)``."""
    difference = made - true

    def limit(sds: float) -> Callable[[np.ndarray], float | None]:
        return lambda values: limit_of_agreement(values, sds)

    return {
        "bias_ml": mean_of(difference),
        "limits_low_ml": estimate(limit(-LIMITS_SD), difference),
        "limits_high_ml": estimate(limit(LIMITS_SD), difference),
        "absolute_error_ml": mean_of(np.abs(difference)),
        "icc": estimate(lambda one, other: icc(np.column_stack([one, other])), true, made),
    }
