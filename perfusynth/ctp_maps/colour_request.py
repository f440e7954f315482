"""What a user asks for when numbers are to be read from a colour picture."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from perfusynth.errors import InputError
from perfusynth.perfusion.colour_bars import Rectangle
from perfusynth.perfusion.colour_pictures import InversionSettings
from perfusynth.perfusion.colour_tables import TableName

#: Voxel sizes that are believed, mm.
SPACING_LIMITS_MM = (0.01, 100.0)


@dataclass(frozen=True)
class ColourRequest:
    """What to read.

    Parameters
    ----------
    map_name, unit
        The map's short name (its file's name, too) and the unit of its numbers.
    low, high
        Numbers at the bar's bottom (or left) and top (or right) end; with ``table`` at its first and last entry.
    table
        A table's name, a picture of a colour bar, or ``None`` for the bar in the picture.
    bar, crop
        Pixels of the burnt-in bar (``None``: it is looked for) and of the map (``None``: the whole picture).
    spacing_mm
        Column, row and slice distance; ``None``: what DICOM says, else 1 mm.
    radiological
        The user knows that the patient's left is on the picture's right.
    settings
        How colours are read.
    """

    map_name: str
    unit: str
    low: float
    high: float
    table: TableName | Path | None = None
    bar: Rectangle | None = None
    crop: Rectangle | None = None
    spacing_mm: tuple[float, float, float] | None = None
    radiological: bool = False
    settings: InversionSettings = field(default_factory=InversionSettings)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,15}", self.map_name) or self.map_name == "valid":
            raise refusal(
                "The map's name cannot be used.", "up to 16 small letters and digits", self.map_name, "bad_map"
            )
        if self.low == self.high:
            raise refusal("The range is empty.", "two different numbers", f"{self.low:g},{self.high:g}", "bad_range")
        smallest, largest = SPACING_LIMITS_MM
        if self.spacing_mm is not None and not all(smallest <= step <= largest for step in self.spacing_mm):
            got = ",".join(f"{step:g}" for step in self.spacing_mm)
            raise refusal("The voxel size cannot be believed.", f"{smallest} to {largest:g} mm", got, "bad_spacing")


def refusal(error: str, expected: str, got: str, code: str) -> InputError:
    """An `InputError` about an option of the command; ``got`` is cut to 60 characters."""
    return InputError(error, expected=expected, got=got[:60], hint="See perfusynth colours --help.", code=code)
