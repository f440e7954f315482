"""The app's tasks: one per model that is live, those that show its result in another form, and the brain's."""

from lib.infers.synthesis import SynthesisTask
from lib.trainers.training import TrainingTask


def infer_tasks(server):
    """Inference tasks by name, for ``/info/`` and for MONAI Label's internal calls."""
    return {name: SynthesisTask(info, server) for name, info in server.tasks.items()}


def training_tasks(server):
    """Training tasks by name, for ``/info/`` and for MONAI Label's internal calls."""
    return {name: TrainingTask(info, server) for name, info in server.tasks.items() if info.trainable}
