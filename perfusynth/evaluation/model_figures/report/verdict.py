"""The report in half a minute: the numbers that matter of one model, and what it can and cannot do, in sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perfusynth.evaluation.information_ceiling.ceiling import FALSE_POSITIVE_ML, FALSE_POSITIVE_SHARE
from perfusynth.evaluation.model_figures.names import CEILING, CEILING_PRIOR
from perfusynth.evaluation.model_figures.report.tables import estimated, number
from perfusynth.report.facts import Figure

#: Bars of the design: skill F; share of right sides where a sign is visible.
SKILL_BAR, SIDE_BAR = 0.7, 0.95
#: ICC below these is poor, moderate, good (Koo and Li, J Chiropr Med 2016).
ICC_WORDS = ((0.5, "poor"), (0.75, "moderate"), (0.9, "good"), (1.01, "excellent"))


@dataclass(frozen=True)
class Verdict:
    """A sentence, and whether it is good news."""

    good: bool
    text: str


def cards(summary: Mapping[str, Any], model: str) -> list[Figure]:
    """The numbers that are read first."""
    m = summary["methods"][model]
    agreement = m["volumes"]["tmax_6"]
    ceiling, prior = (_dice(summary, name) for name in (CEILING, CEILING_PRIOR))
    known = "" if ceiling is None else f"prior {number(prior, 2)}, ceiling {ceiling:.2f}; F {estimated(m['skill'])}"
    limits = [number(agreement["deficit"][f"limits_{end}_ml"]["value"], 0) for end in ("low", "high")]
    return [
        Figure("Dice Tmax > 6 s", estimated(m["overlap"]["dice_6"]), known or "no ceiling given"),
        Figure("Volume, ICC", estimated(agreement["all"]["icc"]), "all patients, with and without a deficit"),
        Figure(
            "Volume, error",
            f"{number(agreement['deficit']['absolute_error_ml']['value'], 0)} mL",
            f"bias {number(agreement['deficit']['bias_ml']['value'], 0)} mL, limits {limits[0]} to {limits[1]} mL",
        ),
        Figure(
            "False alarms",
            estimated(m["false_positives"]["share"], percent=True),
            f"of {m['false_positives']['share']['n']} without a deficit given {FALSE_POSITIVE_ML:g} mL or more",
        ),
        Figure(
            "Side right",
            estimated(m["side"].get("right_visible", m["side"]["right_all"]), percent=True),
            f"sign visible; occult {estimated(m['side'].get('right_occult'), percent=True)}",
        ),
        Figure(
            "Tmax error",
            f"{number(m['errors']['mae_tmax_brain']['value'], 2)} s",
            f"brain; in the deficit {number(m['errors']['mae_tmax_deficit']['value'], 2)} s",
        ),
    ]


def verdicts(summary: Mapping[str, Any], model: str) -> list[Verdict]:
    """What the model can and cannot do, measured by the design's bars and by the baselines.

    Nothing is said of what too few patients tell: a figure without an interval is no verdict.
    """
    m = summary["methods"][model]
    found = [
        _against_baselines(summary, model),
        _skill(m),
        _false_alarms(m),
        _side(m),
        _volume(m),
        _occult(summary, model),
    ]
    return [verdict for verdict in found if verdict is not None]


def _dice(summary: Mapping[str, Any], method: str) -> float | None:
    return summary["methods"][method]["overlap"]["dice_6"]["value"] if method in summary["methods"] else None


def _against_baselines(summary: Mapping[str, Any], model: str) -> Verdict | None:
    kinds = {name: figures["kind"] for name, figures in summary["methods"].items()}
    others = {
        name: found["dice_6"]
        for name, found in summary["differences"][model].items()
        if kinds[name] == "baseline" and found["dice_6"]["low"] is not None
    }
    if not others:
        return None
    beaten = [name for name, found in others.items() if found["low"] > 0]
    if len(beaten) == len(others):
        return Verdict(True, f"Overlaps better with the true region than all {len(others)} untrained baselines.")
    left = ", ".join(name for name in others if name not in beaten)
    return Verdict(
        False, f"Does not overlap better than: {left} (the 95 % interval of the difference holds 0 or less)."
    )


def _skill(m: Mapping[str, Any]) -> Verdict | None:
    value = m["skill"]["value"]
    if m["skill"]["low"] is None:
        return None
    text = f"Skill F {estimated(m['skill'])}: the share reached of what an NCCT lets know beyond the incidence map"
    return Verdict(value >= SKILL_BAR, f"{text}; the bar is {SKILL_BAR}.")


def _false_alarms(m: Mapping[str, Any]) -> Verdict | None:
    share = m["false_positives"]["share"]
    if share["low"] is None:
        return None
    good = share["value"] <= FALSE_POSITIVE_SHARE
    return Verdict(
        good,
        f"Gives {FALSE_POSITIVE_ML:g} mL or more to {estimated(share, percent=True)} of patients without a deficit; "
        f"the bar is {FALSE_POSITIVE_SHARE:.0%}.",
    )


def _side(m: Mapping[str, Any]) -> Verdict | None:
    share = m["side"].get("right_visible")
    if share is None or share["low"] is None:
        return None
    text = (
        f"Names the right side in {estimated(share, percent=True)} where a sign is visible; the bar is {SIDE_BAR:.0%}."
    )
    return Verdict(share["value"] >= SIDE_BAR, text)


def _volume(m: Mapping[str, Any]) -> Verdict | None:
    agreement = m["volumes"]["tmax_6"]
    icc, low, high = (
        agreement["all"]["icc"]["value"],
        agreement["deficit"]["limits_low_ml"]["value"],
        agreement["deficit"]["limits_high_ml"]["value"],
    )
    if agreement["all"]["icc"]["low"] is None or low is None:
        return None
    word = next(word for end, word in ICC_WORDS if icc < end)
    small, large = f"{-low:.0f} mL too small", f"{high:.0f} mL too large"
    return Verdict(
        icc >= ICC_WORDS[0][0],
        f"Agreement of volumes is {word} (ICC {icc:.2f}): in one patient the made volume may be {small} or {large}.",
    )


def _occult(summary: Mapping[str, Any], model: str) -> Verdict | None:
    groups = summary["strata"]["sign on the NCCT"]
    if not {"visible", "occult"} <= set(groups):
        return None
    visible, occult = (groups[name][model]["dice_6"] for name in ("visible", "occult"))
    if visible["low"] is None or occult["low"] is None:
        return None
    return Verdict(
        occult["value"] >= 0.5 * visible["value"],
        f"Dice {estimated(visible)} where a sign is visible, {estimated(occult)} in the {occult['n']} occult patients.",
    )
