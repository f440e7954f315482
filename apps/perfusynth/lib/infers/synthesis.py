"""A synthesis as MONAI Label sees it: it submits a job to the server's queue and waits."""

import json
from pathlib import Path

from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

from perfusynth.server.jobs.blocking import run_and_wait


class SynthesisTask(InferTask):
    """One model.

    Parameters
    ----------
    info
        The task as the server knows it.
    server
        The running server.
    """

    def __init__(self, info, server):
        super().__init__(InferType.OTHERS, [], 3, info.description)
        self._task = info
        self._server = server

    def info(self):
        """MONAI Label's fields, and what the model takes and makes."""
        return {**super().info(), **self._task.details}

    def is_valid(self):
        """Always: only installed models become tasks."""
        return True

    def __call__(self, request):
        """Synthesise the image of a request; called by MONAI Label itself, never with a client's request."""
        result, measurements = run_and_wait(self._server, self._task.name, Path(request["image"]))
        return str(result), json.loads(measurements)
