"""Which patients the report shows: where a model is wrong by most, and where it is as good as it usually is."""

from collections.abc import Sequence

import numpy as np

from perfusynth.evaluation.model_figures.patient_table import PatientTable, Row, has_deficit, has_sign, no_deficit

#: Patients with the largest error of the volume; typical ones of each group.
WORST, TYPICAL_EACH = 10, 2


def worst(table: PatientTable, method: str) -> list[Row]:
    """Patients with the largest absolute error of V(Tmax > 6 s), false alarms among them, the worst first."""
    rows = [row for row in table.rows(method) if row.get("made_ml_6") is not None]
    return sorted(rows, key=lambda row: -abs(row["made_ml_6"] - row["truth_ml_6"]))[:WORST]


def typical(table: PatientTable, method: str) -> list[Row]:
    """Patients at the middle of their group: visible and occult ones by Dice, those without a deficit by volume."""
    groups = (
        (lambda row: has_deficit(row) and has_sign(row) is True, "dice_6"),
        (lambda row: has_deficit(row) and has_sign(row) is not True, "dice_6"),
        (no_deficit, "made_ml_6"),
    )
    found: list[Row] = []
    for belongs, key in groups:
        rows = [row for row in table.rows(method, belongs) if row.get(key) is not None]
        found += _middle(rows, key)
    return found


def _middle(rows: Sequence[Row], key: str) -> list[Row]:
    if not rows:
        return []
    middle = float(np.median([row[key] for row in rows]))
    return sorted(rows, key=lambda row: abs(row[key] - middle))[:TYPICAL_EACH]
