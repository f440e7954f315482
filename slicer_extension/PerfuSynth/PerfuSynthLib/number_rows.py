"""The table of numbers, row by row in words: the panel and the report page both show it."""

from __future__ import annotations

from typing import NamedTuple

from .facts import Facts
from .interval import core_interval_of, interval_of
from .measurements import (
    BILATERAL,
    CLEANED,
    EDITED,
    FROM_SERVER,
    LEFT,
    NO_SIDE,
    PROVISIONAL,
    RIGHT,
    Measurements,
)

#: Shown where a number has no meaning (a ratio without hypoperfusion), and where it could not be measured.
NOT_APPLICABLE, NOT_MEASURED = "n/a", "not measured"

SIDES = {RIGHT: "right hemisphere", LEFT: "left hemisphere", BILATERAL: "both hemispheres", NO_SIDE: "no region"}

#: What a set of numbers is.
STATES = {
    PROVISIONAL: "Provisional: before clean-up",
    CLEANED: "Cleaned",
    EDITED: "After the reader's edit",
    FROM_SERVER: "As the server measured",
}


class NumberRow(NamedTuple):
    """A row: what it is, the number with its unit, its interval or nothing, how it is meant.

    ``main`` marks the region that is outlined now and the core; ``provisional`` numbers will change yet.
    """

    label: str
    value: str
    interval: str
    note: str
    main: bool
    provisional: bool


def number_rows(facts: Facts, measured: Measurements) -> list[NumberRow]:
    """The table of ``measured``, beside what the server's document says."""
    six = measured.settings.hypoperfusion_s
    whole = "edited region" if measured.kind == EDITED else f"Tmax > {six:g} s"
    return [
        *_regions(facts, measured),
        _core(facts, measured),
        _row(measured, "Mismatch volume", _ml(measured.mismatch_ml), note=f"{whole} minus core"),
        _row(measured, "Mismatch ratio", _ratio(measured), note=f"{whole} / core"),
        _row(measured, "HIR", _hir(measured), note=_hir_note(measured, whole)),
        _side(measured, whole),
    ]


def state_text(measured: Measurements) -> str:
    """How far the numbers can be relied on, in words."""
    return STATES[measured.kind]


def _regions(facts: Facts, measured: Measurements) -> list[NumberRow]:
    edited = measured.kind == EDITED
    rows = []
    if edited:
        label = f"Edited region (from Tmax > {measured.threshold_s:g} s)"
        outside = measured.outside_brain_ml
        note = f"{_ml(outside)} of it outside the brain mask" if outside > 0 else ""
        rows.append(_row(measured, label, _ml(measured.region_ml), note=note, main=True))
    volumes = dict(measured.volumes_ml)
    if not edited:
        volumes.setdefault(measured.threshold_s, measured.region_ml)
    for threshold, volume in sorted(volumes.items()):
        outlined = threshold == measured.threshold_s and not edited
        interval = interval_of(facts, measured, threshold)
        note = "as the model made it" if edited else ""
        rows.append(_row(measured, f"Tmax > {threshold:g} s", _ml(volume), interval.text, note, main=outlined))
    return rows


def _core(facts: Facts, measured: Measurements) -> NumberRow:
    note = f"rCBF < {measured.settings.core_fraction:.0%}"
    if measured.core_ml is None:
        note = "too little normal tissue to compare with"
    return _row(measured, "Core estimate", _ml(measured.core_ml), core_interval_of(facts, measured).text, note, True)


def _side(measured: Measurements, whole: str) -> NumberRow:
    found = measured.laterality
    if found is None:
        return _row(measured, "Side", NOT_MEASURED, note="the midplane is not known")
    if found.right_share is None:
        return _row(measured, "Side", SIDES[found.side], note=f"no {whole}")
    note = f"right {found.right_share:.0%}, left {1 - found.right_share:.0%}"
    return _row(measured, "Side", SIDES[found.side], note=note)


def _row(
    measured: Measurements, label: str, value: str, interval: str = "", note: str = "", main: bool = False
) -> NumberRow:
    return NumberRow(label, value, interval, note, main, measured.kind == PROVISIONAL)


def _ml(volume: float | None) -> str:
    # Rounded as the server's document rounds it: two numbers of one volume must not differ.
    return NOT_MEASURED if volume is None else f"{round(volume, 2):.1f} mL"


def _ratio(measured: Measurements) -> str:
    if measured.mismatch_ratio_infinite:
        return "infinite"
    if measured.core_ml is None:
        return NOT_MEASURED
    return NOT_APPLICABLE if measured.mismatch_ratio is None else f"{measured.mismatch_ratio:.1f}"


def _hir(measured: Measurements) -> str:
    return NOT_APPLICABLE if measured.hir is None else f"{measured.hir:.2f}"


def _hir_note(measured: Measurements, whole: str) -> str:
    severe = f"Tmax > {measured.settings.severe_s:g} s"
    return f"{severe} inside it / {whole}" if measured.kind == EDITED else f"{severe} / {whole}"
