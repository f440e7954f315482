"""A pipeline whose generator does nothing and that neither checks nor masks: what is left is the server's own time."""

from collections.abc import Mapping
from typing import Any

from perfusynth.generators.base import Synthesis
from perfusynth.generators.registry import live_bundle
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.synthesis.options import SynthesisOptions
from perfusynth.synthesis.pipeline import Pipeline
from perfusynth.volumes.volume import Volume
from tests.benchmarks.maps import maps, shape_of_run


class NoOpGenerator:
    """Hands out maps that were made beforehand."""

    def synthesize(
        self,
        inputs: Mapping[str, Volume],
        *,
        options: Mapping[str, Any] | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Synthesis:
        """See `perfusynth.generators.base.Generator.synthesize`."""
        scan = next(iter(inputs.values()))
        return Synthesis({name: scan.with_array(array) for name, array in maps(scan.shape).items()})


def load(task: str, *, device: str = "auto") -> Pipeline:
    """The factory that the worker calls; the maps of the run's shape are made here, not in the first request."""
    maps(shape_of_run())
    return Pipeline(live_bundle(task), NoOpGenerator())


def options(**asked: Any) -> SynthesisOptions:
    """Options of a request, without checks and mask."""
    return SynthesisOptions(**asked, checks=False, mask=False)
