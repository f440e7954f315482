"""The test button: can cases be registered with this server, and if not, what is there to do."""

from __future__ import annotations

from PerfuSynthLib.client import PerfuSynthClient
from PerfuSynthLib.connection_check import CHECK_TIMEOUTS, Connection, information, version_of
from PerfuSynthLib.http_connection import Timeouts
from PerfuSynthLib.problems import Problem
from PerfuSynthLib.server_answers import models_of
from PerfuSynthLib.server_settings import ServerSettings

from .worklist_client import WorklistClient

#: Oldest interface that this module works with (``api`` in ``/info/``): 3 has the registration worklist.
MINIMUM_API = 3


class WorklistServer(Connection):
    """A server whose worklist this user may work on; it needs no model."""

    @property
    def text(self) -> str:
        """What the user is told."""
        return f"Connected: PerfuSynth {self.version}."


def check_worklist(settings: ServerSettings, timeouts: Timeouts = CHECK_TIMEOUTS) -> WorklistServer:
    """Ask a server all that an annotator needs.

    Raises
    ------
    Problem
        As `connection_check.check_connection`, but for its model; ``no_annotator``: the role is missing.
    """
    client = PerfuSynthClient(settings, timeouts)
    info = information(client)
    models_of(info)  # another MONAI Label server is told so
    version = version_of(info, MINIMUM_API)
    try:
        WorklistClient(settings, timeouts).worklist()
    except Problem as problem:
        if problem.code == "forbidden" or getattr(problem, "status", 0) == 403:
            raise Problem(
                "no_annotator",
                "The server lets annotators correct registrations, and you are none.",
                "Ask the server's administrator for the role annotator.",
                problem.detail,
            ) from None
        raise
    return WorklistServer(version, (), warming=False)
