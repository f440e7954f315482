"""The session inside the desktop program: settings, folders and views of this Slicer."""

from __future__ import annotations

from pathlib import Path

import slicer
from PerfuSynthLib.program import renderer_of_view, server_book

from .session import RegistrationSession, Surroundings
from .unsent_work import UnsentStore

#: Beside Slicer's settings: its cache may be emptied at any time.
_UNSENT_FOLDER = "PerfuSynth-unsent-registrations"


def session_of_program() -> RegistrationSession:
    """A session on the program's scene."""
    folder = Path(slicer.app.userSettings().fileName()).parent / _UNSENT_FOLDER
    return RegistrationSession(Surroundings(slicer.mrmlScene, server_book(), UnsentStore(folder), renderer_of_view))
