"""The table of agreement: medians over patients by motion and by protocol, with 95 % intervals, as text."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from perfusynth.evaluation.realism.estimates import interval, median
from perfusynth.evaluation.realism.table import digits

#: Fewer patients than this give no interval.
INTERVAL_PATIENTS = 8
#: Order of the groups.
MOTION = ("none", "negligible", "moderate", "strong")

Patient = Mapping[str, Any]


def of(way: str, figure: str) -> Callable[[Patient], float | None]:
    """A figure of one way, ``None`` where the series was refused or has no such figure."""
    return lambda patient: patient[way].get(figure)


def medians(patients: Sequence[Patient], figure: Callable[[Patient], float | None]) -> str:
    """Median of a figure over the patients that have it, with its interval where they are enough."""
    values = np.array([value for value in map(figure, patients) if value is not None], dtype=float)
    if not len(values):
        return "–"
    middle = digits(median(values))
    if len(values) < INTERVAL_PATIENTS:
        return middle
    low, high = interval(median, [values])
    return f"{middle} ({digits(low)}–{digits(high)})"


def largest(patients: Sequence[Patient], figure: Callable[[Patient], float | None]) -> str:
    """Largest value of a figure."""
    return digits(max((value for value in map(figure, patients) if value is not None), default=None))


def groups(patients: Sequence[Patient]) -> list[tuple[str, list[Patient]]]:
    """All patients, those of each grade of motion, those of each protocol; empty groups are left out."""
    protocols = sorted({p["protocol"] for p in patients})
    named = [("all", list(patients))]
    named += [(f"motion: {grade}", [p for p in patients if p["motion"] == grade]) for grade in MOTION]
    named += [(name, [p for p in patients if p["protocol"] == name]) for name in protocols]
    return [(name, members) for name, members in named if members]


def refused(patients: Sequence[Patient], way: str) -> str:
    """How many were refused, with the codes."""
    codes = [p[way]["refused"] for p in patients if "refused" in p[way]]
    return f"{len(codes)} ({', '.join(sorted(set(codes)))})" if codes else "0"


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def regions_markdown(patients: Sequence[Patient]) -> str:
    """Hypoperfusion against the truth."""
    rows = []
    for name, members in groups(patients):
        rows.append(
            [
                name,
                str(len(members)),
                medians(members, of("corrected", "dice")),
                medians(members, of("corrected", "dice_raw")),
                medians(members, of("uncorrected", "dice")),
                medians(members, lambda p: p["phantom_dice"]),
                medians(members, lambda p: p["true_ml"]),
                medians(members, of("corrected", "ml")),
                largest(members, of("corrected", "false_ml")),
                medians(members, of("corrected", "raw_false_ml")),
                medians(members, of("uncorrected", "raw_false_ml")),
                refused(members, "corrected"),
                refused(members, "uncorrected"),
            ]
        )
    heading = [
        "patients", "n", "Dice", "Dice, not cleaned", "Dice, motion not corrected", "Dice of the phantom's own maps",
        "true, mL", "measured, mL", "false, largest, mL", "false, not cleaned, mL",
        "false, not cleaned, motion not corrected, mL", "refused", "refused, motion not corrected",
    ]  # fmt: skip
    return _table(heading, rows)


#: Rows of the second table: what, and the figure's name.
CURVES = (
    ("AIF used: correlation with the true one", "aif_correlation"),
    ("AIF used: peak, measured / true", "aif_peak_ratio"),
    ("AIF used: area, measured / true", "aif_area_ratio"),
    ("AIF used: rises later than the true one, s", "aif_late_s"),
    ("Factor for partial volume", "partial_volume_factor"),
    ("AIF voxels in an open artery, share", "aif_in_open_artery"),
    ("AIF voxels behind the clot, share", "aif_behind_clot"),
    ("VOF: correlation with the true one", "vof_correlation"),
    ("VOF: peak, measured / true", "vof_peak_ratio"),
    ("VOF voxels in a vein, share", "vof_in_vein"),
    ("CBF of healthy tissue, measured / the phantom's own maps", "cbf_ratio"),
    ("Tmax of healthy tissue minus the phantom's own, s", "tmax_shift_s"),
)


def curves_markdown(patients: Sequence[Patient]) -> str:
    """Artery, vein and scale: median, interval and the worst patients."""
    rows = []
    for text, name in CURVES:
        values = np.array([p["corrected"][name] for p in patients if name in p["corrected"]], dtype=float)
        low, high = (digits(float(x)) for x in (values.min(), values.max())) if len(values) else ("–", "–")
        rows.append([text, medians(patients, of("corrected", name)), f"{low} to {high}"])
    return _table(["figure", "median (95 % interval)", "least to largest"], rows)


#: What the tables say, for readers.
EXPLANATION = (
    "Region: Tmax > 6 s; true: by the simulated delay, transit and dispersion, where the head lay in the frame that "
    "the others are brought to. The phantom's own maps are measured with noise of the same strength, but the true "
    "AIF and no motion. False: more than 8 mm from tissue with a true Tmax of 4 s or more. A series that one way "
    "refuses is missing in that way's columns only.\n"
)


def markdown(patients: Sequence[Patient]) -> str:
    """Both tables, and how to read them."""
    return "\n".join([EXPLANATION, regions_markdown(patients), curves_markdown(patients)])
