"""A synthesis as MONAI Label sees it: it submits a job to the server's queue and waits."""

import json
import zipfile
from pathlib import Path

from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

from perfusynth.server.jobs.blocking import run_and_wait


class SynthesisTask(InferTask):
    """One task: maps, or where it has labels a segmentation (a region, the brain).

    Parameters
    ----------
    info
        The task as the server knows it.
    server
        The running server.
    """

    def __init__(self, info, server):
        kind = InferType.SEGMENTATION if info.labels else InferType.OTHERS
        super().__init__(kind, dict(info.labels), 3, info.description)
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
        if self._task.labels:
            with zipfile.ZipFile(result) as archive:
                result = archive.extract(self._task.label_file, result.parent)
        return str(result), json.loads(measurements)
