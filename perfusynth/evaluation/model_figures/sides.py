"""Which side a deficit was drawn on, and which one was called."""

from perfusynth.evaluation.model_figures.patient_table import Row, has_deficit

SIDES = ("right", "left")


def side_to_find(row: Row) -> str | None:
    """The side of a one-sided deficit: the drawn one, else that of the true region; None without."""
    side = row.get("side") if row.get("side") is not None else row["truth_side"]
    return side if has_deficit(row) and side in SIDES else None


def is_called(row: Row) -> bool | None:
    """Whether a side was named at all where there is one."""
    return None if side_to_find(row) is None else row.get("made_side") in SIDES


def is_right(row: Row) -> bool | None:
    """Whether the side was the right one; not naming any counts as wrong."""
    side = side_to_find(row)
    return None if side is None else row.get("made_side") == side


def is_right_of_called(row: Row) -> bool | None:
    """Whether a side that was named was the right one."""
    return is_right(row) if is_called(row) else None
