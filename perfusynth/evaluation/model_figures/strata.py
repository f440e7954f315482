"""Groups of patients with a deficit in which a model may be better or worse."""

from collections.abc import Callable, Mapping

from perfusynth.evaluation.model_figures.patient_table import Row, has_deficit, has_sign

#: Ends of the groups by onset to imaging, h: thrombolysis 4.5, thrombectomy 6, perfusion-selected 9 and 24.
ONSET_H = (4.5, 9.0, 24.0)
#: Ends of the groups by size of the deficit, mL [d].
SIZE_ML = (15.0, 50.0, 100.0)


def _between(value: float, ends: tuple[float, ...], unit: str) -> str:
    """Name of the group that a value falls into."""
    low = max((end for end in ends if value >= end), default=None)
    high = min((end for end in ends if value < end), default=None)
    if low is None:
        return f"< {high:g} {unit}"
    return f"≥ {low:g} {unit}" if high is None else f"{low:g}–{high:g} {unit}"


def _order(ends: tuple[float, ...], unit: str) -> list[str]:
    return [_between(value, ends, unit) for value in (0.0, *ends)]


def _sign(row: Row) -> str | None:
    seen = has_sign(row)
    return None if seen is None else "visible" if seen else "occult"


#: What patients are grouped by: the group of a row, None where it is not known.
STRATA: Mapping[str, Callable[[Row], str | None]] = {
    "sign on the NCCT": _sign,
    "site": lambda row: row.get("site"),
    "side": lambda row: row.get("side"),
    "onset to imaging": lambda row: None if row.get("onset_h") is None else _between(row["onset_h"], ONSET_H, "h"),
    "size of the deficit": lambda row: _between(row["truth_ml_6"], SIZE_ML, "mL"),
    "scanner": lambda row: row.get("scanner"),
}
_KNOWN_ORDER = {
    "sign on the NCCT": ["visible", "occult"],
    "onset to imaging": _order(ONSET_H, "h"),
    "size of the deficit": _order(SIZE_ML, "mL"),
}


def groups_of(stratum: str, rows: list[Row]) -> dict[str, Callable[[Row], bool]]:
    """The groups of a stratum that hold patients, each with the rule of who belongs to it."""
    group = STRATA[stratum]
    found = {group(row) for row in rows if has_deficit(row)} - {None}
    names = [name for name in _KNOWN_ORDER.get(stratum, sorted(map(str, found))) if name in found]
    return {name: _belongs(group, name) for name in names}


def _belongs(group: Callable[[Row], str | None], name: str) -> Callable[[Row], bool]:
    return lambda row: has_deficit(row) and group(row) == name
