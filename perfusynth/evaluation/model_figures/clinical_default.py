"""Which of several models a reader should be given: by agreement of volumes, if it rarely finds what is not there."""

from collections.abc import Mapping
from typing import Any

from perfusynth.evaluation.information_ceiling.ceiling import FALSE_POSITIVE_ML, FALSE_POSITIVE_SHARE

__all__ = ["FALSE_POSITIVE_ML", "FALSE_POSITIVE_SHARE", "clinical_default"]


def clinical_default(models: Mapping[str, Mapping[str, Any]]) -> dict[str, str] | None:
    """The default among models, and why, in words.

    Among those that give at most `FALSE_POSITIVE_SHARE` of the patients without a deficit `FALSE_POSITIVE_ML` or more:
    the one with the largest ICC of V(Tmax > 6 s) over all patients. Where none is so specific: the most specific one.

    Parameters
    ----------
    models
        Figures by name, as `summary._of_method` gives them.

    Returns
    -------
    ``model`` and ``why``; None where no model has volumes.
    """
    icc = {name: figures["volumes"]["tmax_6"]["all"]["icc"]["value"] for name, figures in models.items()}
    share = {name: figures["false_positives"]["share"]["value"] for name, figures in models.items()}
    known = [name for name in models if icc[name] is not None]
    if not known:
        return None
    specific = [name for name in known if share[name] is None or share[name] <= FALSE_POSITIVE_SHARE]
    if specific:
        best = max(specific, key=lambda name: icc[name])
        rule = (
            f"Largest ICC of V(Tmax > 6 s) over all patients ({icc[best]:.2f}) among the models that give "
            f"{FALSE_POSITIVE_ML:g} mL or more to at most {FALSE_POSITIVE_SHARE:.0%} of the patients without a deficit "
            f"({_share(share[best])})."
        )
    else:
        best = min(known, key=lambda name: (share[name], -icc[name]))
        rule = (
            f"No model gives {FALSE_POSITIVE_ML:g} mL or more to at most {FALSE_POSITIVE_SHARE:.0%} of the patients "
            f"without a deficit; this one does so least often ({_share(share[best])}). Its ICC is {icc[best]:.2f}."
        )
    others = "; ".join(f"{n}: ICC {icc[n]:.2f}, {_share(share[n])}" for n in known if n != best)
    return {"model": best, "why": rule + (f" The others: {others}." if others else "")}


def _share(value: float | None) -> str:
    return "no patient without a deficit" if value is None else f"{value:.0%}"
