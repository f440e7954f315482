"""Agreement of volumes: bias, limits of agreement (Bland and Altman 1986), ICC, mean absolute error, all in mL."""

import numpy as np

from perfusynth.evaluation.model_figures.bootstrap import Estimate, Statistic, estimate, mean_of

#: Half the width of the limits of agreement, in SD of the differences.
LIMITS_SD = 1.96
#: Fewer patients have no ICC.
ICC_PATIENTS = 3


def limit_of_agreement(sds: float) -> Statistic:
    """Bias plus so many SD of differences (made minus true) ``(..., n)``, mL; NaN of fewer than two patients."""

    def limit(difference: np.ndarray) -> np.ndarray:
        if difference.shape[-1] < 2:
            return np.full(difference.shape[:-1], np.nan)
        return difference.mean(axis=-1) + sds * difference.std(axis=-1, ddof=1)

    return limit


def icc(true: np.ndarray, made: np.ndarray) -> np.ndarray:
    """ICC(A,1) of two methods (McGraw and Wong 1996), patients along the last axis: many resamplings at once.

    The same figure as `information_ceiling.agreement.icc`, which takes any number of methods; NaN where fewer than
    three patients or one single value leave nothing to compare.
    """
    n = true.shape[-1]
    if n < ICC_PATIENTS:
        return np.full(true.shape[:-1], np.nan)
    total, difference = true + made, made - true
    between = total.var(axis=-1, ddof=1) / 2
    error = difference.var(axis=-1, ddof=1) / 2
    columns = n * difference.mean(axis=-1) ** 2 / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((between - error) / (between + error + 2 * (columns - error) / n))


def agreement_of(true: np.ndarray, made: np.ndarray) -> dict[str, Estimate]:
    """``bias_ml``, ``limits_low_ml``, ``limits_high_ml``, ``absolute_error_ml``, ``icc`` (A,1) of volumes ``(n,)``."""
    difference = made - true
    return {
        "bias_ml": mean_of(difference),
        "limits_low_ml": estimate(limit_of_agreement(-LIMITS_SD), difference),
        "limits_high_ml": estimate(limit_of_agreement(LIMITS_SD), difference),
        "absolute_error_ml": mean_of(np.abs(difference)),
        "icc": estimate(icc, true, made),
    }
