"""A training as MONAI Label sees it: it lists its parameters, and submits runs to the server around the app."""

import asyncio
from pathlib import Path

from monailabel.interfaces.tasks.train import TrainTask

from perfusynth.server.training.description import statistics
from perfusynth.server.training.parameters import offered, parse_parameters

#: Who orders runs that MONAI Label itself starts; no token can have an empty name.
_USER = ""


class TrainingTask(TrainTask):
    """Trains candidates for one task.

    Parameters
    ----------
    info
        The task as the server knows it.
    server
        The running server.
    """

    def __init__(self, info, server):
        super().__init__(f"Candidates for: {info.description}")
        self._task = info
        self._server = server

    def config(self):
        """The parameters, with a default or a list of choices each."""
        return offered()

    def stats(self):
        """How far the last run is."""
        return statistics(self._server.training.last(self._task.name))

    def __call__(self, request, datastore):
        """Start a run; called by MONAI Label itself, never with a client's request."""
        parameters = parse_parameters(request)
        start = self._server.training.start(self._task.name, parameters, _USER, Path(datastore.studies))
        return asyncio.run_coroutine_threadsafe(start, self._server.loop).result()
