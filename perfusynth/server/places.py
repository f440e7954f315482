"""Where an error happened, without its message: those of foreign exceptions quote file names and contents."""

import traceback
from pathlib import Path

#: Innermost frames that are told.
FRAMES = 8


def places_of(error: BaseException) -> list[str]:
    """``file:line function`` of the innermost frames, the innermost first."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames)]
