"""The task ``brain``: the brain of a head CT as a label, by the method that the installation is set to."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perfusynth.progress import OnProgress, ignore_progress

if TYPE_CHECKING:
    from perfusynth.server.tasks import TaskInfo
    from perfusynth.volumes.brain import BrainExtractor

BRAIN_TASK: Final = "brain"
#: What a worker loads for it.
BRAIN_WORK: Final = "perfusynth.server.brain_task:BrainWork.load"
#: The label map in the result's zip, the value of its voxels, and the JSON that tells what made it.
LABEL_FILE: Final = "brain.nii.gz"
LABEL_VALUE: Final = 1
DOCUMENT_FILE: Final = "brain.json"


def brain_task() -> "TaskInfo":
    """The task as the server lists it."""
    from perfusynth.brain_structures.settings import BrainSettings
    from perfusynth.server.tasks import TaskInfo

    method = BrainSettings.of_environment().brain_method
    output = {
        "name": "brain",
        "unit": "",
        "range": [0, LABEL_VALUE],
        "kind": "label",
        "description": "1 where the method sees brain",
    }
    return TaskInfo(
        BRAIN_TASK,
        f"The brain in a head CT, by the method {method}. Research use only.",
        ("ncct",),
        {"brain_method": method, "inputs": [{"name": "ncct", "unit": "HU"}], "outputs": [output]},
        labels={"brain": LABEL_VALUE},
        label_file=LABEL_FILE,
        trainable=False,
    )


class BrainWork:
    """What a worker holds for the task; the shape of `perfusynth.synthesis.pipeline.Pipeline`.

    Parameters
    ----------
    extractor
        The method.
    """

    def __init__(self, extractor: "BrainExtractor"):
        self._extractor = extractor

    @classmethod
    def load(cls, task: str, *, device: str = "auto") -> "BrainWork":
        """The method that the environment names.

        Raises
        ------
        InputError
            It is not at hand here.
        """
        from perfusynth.brain_structures.methods import brain_extractor

        return cls(brain_extractor(device=device))

    def warm_up(self) -> None:
        """Nothing to warm: the methods hold no model in this process."""

    def run(
        self, inputs: Mapping[str, Path], out: Path, *, options: Any = None, on_progress: OnProgress = ignore_progress
    ) -> None:
        """Write the label, what made it, and the scan where it was resampled.

        Parameters
        ----------
        inputs
            The path of ``ncct``.
        out
            Existing empty folder.
        options
            Of a synthesis; a brain has no checks that could be overridden.

        Raises
        ------
        InputError
            From `perfusynth.brain_structures.files.write_brain`.
        Cancelled
            From ``on_progress``.
        """
        from perfusynth.brain_structures.files import write_brain

        write_brain(Path(inputs["ncct"]), out / LABEL_FILE, self._extractor, on_progress=on_progress)
