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
    store = UnsentStore(folder)
    return RegistrationSession(Surroundings(slicer.mrmlScene, server_book(), store, renderer_of_view, render_view))


def render_view(name: str) -> None:
    """Draw a slice view anew when the program finds time; nothing happens where the layout does not show it."""
    widget = slicer.app.layoutManager().sliceWidget(name)
    if widget is not None:
        widget.sliceView().scheduleRender()
