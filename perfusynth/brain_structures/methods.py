"""The methods by which a brain is found, by name."""

from perfusynth.brain_structures.settings import METHODS, BrainSettings
from perfusynth.errors import InputError
from perfusynth.volumes.brain import BrainExtractor, BrainMask
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.volume import Volume


def brain_extractor(
    method: str | None = None, settings: BrainSettings | None = None, *, device: str = "auto"
) -> BrainExtractor:
    """The method of that name; where it is not at hand nothing else takes its place.

    Parameters
    ----------
    method
        One of `METHODS`; None: the settings'.
    settings
        Default: the environment's.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``: where TotalSegmentator computes, unless the settings say it.

    Raises
    ------
    InputError
        Codes ``unknown_brain_method``, ``bad_setting``, and of `TotalSegmentatorBrain`.
    """
    settings = settings or BrainSettings.of_environment()
    match method or settings.brain_method:
        case "builtin":
            return BuiltinBrain()
        case "totalsegmentator":
            from perfusynth.brain_structures.totalsegmentator import TotalSegmentatorBrain

            named = settings.totalsegmentator_device or device.replace("cuda", "gpu").replace("auto", "gpu")
            return TotalSegmentatorBrain(settings.model_copy(update={"totalsegmentator_device": named}))
        case other:
            raise InputError(
                "There is no such method of finding a brain.",
                expected=" or ".join(METHODS),
                got=repr(other[:32]),
                hint="Name one of them.",
                code="unknown_brain_method",
            )


def inside_of_skull(ncct: Volume, brain: BrainMask) -> BrainMask:
    """What the head check looks at: its limits are for a brain that ends at the inner table of the skull.

    Parameters
    ----------
    brain
        What is to count as brain, found by any method or drawn by hand.

    Raises
    ------
    InputError
        Code ``no_brain``.
    """
    return brain if brain.method == BuiltinBrain.method else BuiltinBrain().extract(ncct)
