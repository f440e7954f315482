"""The session inside the desktop program: settings, folders, views and DICOM database of this Slicer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer

from .chosen_volume import dicom_tags_of
from .result_cache import ResultCache
from .server_settings import ServerBook
from .session import Session, Surroundings

#: Beside Slicer's settings, which users pass on: tokens, readable by this user alone.
_TOKEN_FILE = "PerfuSynth-tokens.json"
#: Folder of results below Slicer's cache.
_CACHE_FOLDER = "PerfuSynth-results"


def session_of_program() -> Session:
    """A session on the program's scene."""
    cache = Path(slicer.app.cachePath) / _CACHE_FOLDER
    around = Surroundings(slicer.mrmlScene, server_book(), ResultCache(cache), renderer_of_view, _dicom_tags)
    session = Session(around)
    session.choice.on_opened = show_in_views
    return session


def server_book() -> ServerBook:
    """The servers that this user of the program has used."""
    settings = slicer.app.userSettings()
    return ServerBook(settings, Path(settings.fileName()).parent / _TOKEN_FILE)


def renderer_of_view(name: str) -> Any:
    """The renderer of a slice view; None where the layout does not show it."""
    widget = slicer.app.layoutManager().sliceWidget(name)
    return widget.sliceView().renderWindow().GetRenderers().GetFirstRenderer() if widget is not None else None


def show_in_views(node: Any) -> None:
    """Show a volume in all slice views."""
    slicer.util.setSliceViewerLayers(background=node, fit=True)


def _dicom_tags(node: Any) -> Callable[[str], str] | None:
    database = getattr(slicer, "dicomDatabase", None)
    return dicom_tags_of(node, database) if database is not None else None
