"""A method of an evaluation: whatever makes maps or a region out of a case, a trained model or a rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from perfusynth.errors import InputError
from perfusynth.evaluation.model_figures.case import EvaluationCase
from perfusynth.generators.base import Generator
from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.volumes.model_grid import ModelGrid, map_to_grid
from perfusynth.volumes.volume import Volume

#: What a method is: trained, a rule, or what is known of the best possible one.
Kind = Literal["model", "baseline", "ceiling"]
#: Tmax and CBF, by the names that bundles give their outputs.
PERFUSION_MAPS = ("tmax", "cbf")


@dataclass(frozen=True, eq=False)
class Made:
    """What a method made of a case, on the case's grid.

    Parameters
    ----------
    maps
        ``tmax`` [s] and perhaps ``cbf`` [mL/100 g/min]; None from a method that marks a region and no more.
    region
        bool, Tmax > 6 s; None: it follows from the maps.
    probability
        Probability of Tmax > 6 s, 0-1, from a method that tells one.
    """

    maps: Mapping[str, np.ndarray] | None = None
    region: np.ndarray | None = None
    probability: np.ndarray | None = None


class Method(Protocol):
    """Makes something of every case, deterministically; ``identity`` changes when its answers do."""

    @property
    def name(self) -> str:
        """As the report calls it."""
        ...

    @property
    def kind(self) -> Kind:
        """Trained, or a rule."""
        ...

    @property
    def identity(self) -> str:
        """Hash of its weights or its fit: rows of another one are not mixed in."""
        ...

    def __call__(self, case: EvaluationCase) -> Made:
        """What it makes of a case."""
        ...


@dataclass(frozen=True, eq=False)
class ModelMethod:
    """A trained generator: on the model grid directly, on a scanner's grid through `Generator.synthesize`."""

    name: str
    identity: str
    generator: Generator
    spec: GeneratorSpec
    kind: Kind = "model"

    def __call__(self, case: EvaluationCase) -> Made:
        if case.grid == "model":
            made = self.generator.on_model_grid(case.inputs, case.brain)
        else:
            inputs = {name: Volume(array, case.affine) for name, array in case.inputs.items()}
            inputs["brain"] = Volume(case.brain, case.affine)
            made = {name: volume.array for name, volume in self.generator.synthesize(inputs).maps.items()}
        return made_of(made, self.spec)


def made_of(outputs: Mapping[str, np.ndarray], spec: GeneratorSpec) -> Made:
    """A generator's outputs by what they are; a probability marks the region where there is no Tmax."""
    maps = {name: outputs[name] for name in PERFUSION_MAPS if name in outputs}
    probability = None if spec.probability is None else outputs[spec.probability.name]
    if "tmax" in maps:
        return Made(maps, None, probability)
    if probability is None or spec.probability is None or spec.probability.region_above is None:
        raise InputError(
            "This model makes nothing that can be evaluated.",
            expected="a map tmax, or a probability with region_above",
            got=", ".join(output.name for output in spec.outputs),
            hint="Look into the bundle's metadata.json.",
            code="nothing_to_evaluate",
        )
    return Made(None, probability >= spec.probability.region_above, probability)


@dataclass(frozen=True, eq=False)
class OnModelGrid:
    """A method that knows the model grid alone, for cases on a scanner's grid: there and back as generators do it."""

    method: Method
    spec: GeneratorSpec

    @property
    def name(self) -> str:
        """As the method itself."""
        return self.method.name

    @property
    def kind(self) -> Kind:
        """As the method itself."""
        return self.method.kind

    @property
    def identity(self) -> str:
        """As the method itself."""
        return self.method.identity

    def __call__(self, case: EvaluationCase) -> Made:
        if case.grid == "model":
            return self.method(case)
        grid = self.spec.grid
        scan = Volume(case.inputs["ncct"], case.affine)
        mapping = map_to_grid(scan, case.brain, ModelGrid(grid.size, grid.spacing_mm, grid.slab_mm))
        on_grid = EvaluationCase(
            name=case.name,
            inputs={name: mapping.to_model(array) for name, array in case.inputs.items()},
            brain=mapping.to_model(case.brain) >= 0.5,
            truth={},
            valid=np.ones(mapping.shape, dtype=bool),
            affine=mapping.affine,
            midplane=case.midplane,
            grid="model",
        )
        made = self.method(on_grid)
        maps = None if made.maps is None else {name: mapping.to_scan(array) for name, array in made.maps.items()}
        region = None if made.region is None else mapping.to_scan(made.region.astype(np.float32)) >= 0.5
        return Made(maps, region)
