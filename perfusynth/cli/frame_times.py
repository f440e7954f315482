"""The options ``--interval`` and ``--times`` of commands that read a series in time."""

from pathlib import Path
from typing import Annotated

import typer

from perfusynth.cli.refusals import bad_option

Interval = Annotated[float | None, typer.Option(help="Interval of the frames, s, where the file has none.")]
Times = Annotated[Path | None, typer.Option(help="Text file with the time of each frame, s, where the file has none.")]


def listed_times(command: str, times: Path | None, interval: float | None) -> list[float] | None:
    """The times that the file of ``--times`` lists, s; None without one.

    Raises
    ------
    InputError
        Codes ``bad_option``: both options were given; ``bad_times``: the file cannot be read as numbers.
    """
    if times is None:
        return None
    if interval is not None:
        raise bad_option(command, "The times of the frames are given twice.", "--times or --interval", "both")
    try:
        return [float(field) for field in times.read_text(encoding="utf-8").replace(",", " ").split()]
    except (OSError, ValueError):
        raise bad_option(
            command,
            "The times of the frames cannot be read.",
            "a text file with one time a frame, s",
            "other text" if times.is_file() else "no file",
            "bad_times",
        ) from None
