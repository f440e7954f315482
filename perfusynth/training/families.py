"""The generator families that can be trained."""

from perfusynth.errors import InputError
from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.training.config import TaskSettings
from perfusynth.training.task import TrainingTask
from perfusynth.training.turbo_settings import TurboSettings
from perfusynth.training.turbo_task import TurboTask
from perfusynth.training.unet_task import UNetTask


def task_of(spec: GeneratorSpec, settings: TaskSettings) -> TrainingTask:
    """The training task of a generator, its networks as they begin.

    Raises
    ------
    InputError
        Code ``other_family``: settings and bundle are of two families.
    """
    if spec.family != settings.family:
        raise InputError(
            "These settings train another family of generators.",
            expected=f"settings of the family {spec.family}",
            got=settings.family,
            hint="Take the train.json of the bundle that is to be trained.",
            code="other_family",
        )
    # Their networks are dicts, which are Mappings.
    if isinstance(settings, TurboSettings):
        return TurboTask(spec, settings)  # type: ignore[return-value]
    return UNetTask(spec, settings)  # type: ignore[return-value]
