"""Are these a Tmax map in s and a CBF map in mL/100 g/min? What cannot be is refused, with what it probably is."""

import numpy as np

from perfusynth.errors import InputError

#: Median Tmax in a brain above which the unit is ms [s]; living brains have 1 to 6 s, or 1000 to 6000 ms.
TMAX_MEDIAN_MS = 100.0
#: Median Tmax beyond any living brain, s: a bolus that late everywhere is a wrong arterial input or no Tmax (the
#: project's own choice).
TMAX_MEDIAN_MAX_S = 20.0
#: Largest Tmax that is no Tmax map's, s: masks and fractions end at 1 (the project's own choice).
TMAX_MAX_MIN_S = 1.0
#: Tmax below this is padding, s: deconvolution looks no more than 4 s before the artery.
TMAX_MIN_S = -5.0
#: Median CBF in a brain, mL/100 g/min: below it the unit is mL/min/mL or relative, above it stored values were not
#: scaled (grey matter has 60, white 25; smoothing and truncation may halve both; the project's own choice).
CBF_MEDIAN_LIMITS = (2.0, 300.0)
#: Together these mean that the maps were exchanged: a Tmax's median above, s, and a CBF's below, mL/100 g/min.
EXCHANGED = (10.0, 10.0)


def check_maps(tmax: np.ndarray, cbf: np.ndarray | None) -> None:
    """Refuse what cannot be these maps.

    Parameters
    ----------
    tmax, cbf
        Values inside the brain, ``(n,)``; ``cbf`` may be ``None``.

    Raises
    ------
    InputError
        Codes ``empty_map``, ``exchanged_maps``, ``tmax_unit``, ``negative_map``, ``cbf_unit``.
    """
    for name, values in (("Tmax map", tmax), ("CBF map", cbf)):
        if values is not None and (values.size == 0 or float(np.ptp(values)) == 0):
            got = "no voxels" if values.size == 0 else f"{values.flat[0]:g} everywhere in the brain"
            raise _refusal(f"The {name} is empty.", "values that differ in the brain", got, "empty_map")
    late = float(np.median(tmax))
    if (
        cbf is not None
        and late > EXCHANGED[0]
        and 0 <= float(np.median(cbf)) < EXCHANGED[1]
        and cbf.min() >= TMAX_MIN_S
    ):
        raise _refusal(
            "The Tmax and the CBF map seem to be exchanged.",
            "Tmax in s (median of a brain 1 to 6) and CBF in mL/100 g/min (15 to 60)",
            f"medians {late:.3g} for Tmax and {float(np.median(cbf)):.3g} for CBF",
            "exchanged_maps",
            "Give the Tmax map with --tmax and the CBF map with --cbf.",
        )
    _check_tmax(tmax, late)
    if cbf is not None:
        _check_cbf(cbf)


def _check_tmax(tmax: np.ndarray, median: float) -> None:
    if tmax.min() < TMAX_MIN_S:
        raise _refusal(
            "The Tmax map has negative values in the brain.",
            f"at least {TMAX_MIN_S:g} s",
            f"{int((tmax < TMAX_MIN_S).sum())} voxels below, down to {tmax.min():.3g}",
            "negative_map",
            "Give a mask of the brain with --brain, or set what the map does not know to 0.",
        )
    if median > TMAX_MEDIAN_MS:
        raise _refusal(
            "The Tmax map is not in seconds.",
            "s (median of a brain 1 to 6)",
            f"a median of {median:.4g}: milliseconds, or stored values without their scale",
            "tmax_unit",
            "Divide the map by 1000 if it is in ms.",
        )
    if median > TMAX_MEDIAN_MAX_S or tmax.max() <= TMAX_MAX_MIN_S:
        raise _refusal(
            "This is no Tmax map in seconds.",
            "a median of 1 to 6 s in the brain, and voxels above 1 s",
            f"a median of {median:.3g}, at most {tmax.max():.3g}",
            "tmax_unit",
            "Give the Tmax map (not TTP, a mask or a relative map), in s.",
        )


def _check_cbf(cbf: np.ndarray) -> None:
    if cbf.min() < 0:
        raise _refusal(
            "The CBF map has negative values in the brain.",
            "0 or more",
            f"{int((cbf < 0).sum())} voxels below 0, down to {cbf.min():.3g}",
            "negative_map",
            "Give a mask of the brain with --brain, or set what the map does not know to 0.",
        )
    known = cbf[cbf > 0]
    median = float(np.median(known))
    low, high = CBF_MEDIAN_LIMITS
    if not low <= median <= high:
        what = "mL/min per mL, or a relative map" if median < low else "stored values without their scale"
        raise _refusal(
            "The CBF map is not in mL/100 g/min.",
            "a median of 15 to 60 mL/100 g/min in the brain",
            f"a median of {median:.3g}: {what}",
            "cbf_unit",
            "Multiply the map by 100 if it is in mL/min per mL; a relative map cannot be used."
            if median < low
            else "Apply the scale that the exporting program states.",
        )


def _refusal(
    error: str, expected: str, got: str, code: str, hint: str = "Export the map again, with its values."
) -> InputError:
    return InputError(error, expected=expected, got=got, hint=hint, code=code)
