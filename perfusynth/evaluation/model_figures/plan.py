"""What is evaluated, on whom, with what beside: plain values that worker processes are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from perfusynth.errors import InputError
from perfusynth.evaluation.information_ceiling.sign_reader import SignReader, shipped_sign_reader
from perfusynth.evaluation.model_figures.baselines.fit import shipped_baselines
from perfusynth.evaluation.model_figures.baselines.rules import rules
from perfusynth.evaluation.model_figures.case import EvaluationCase, case_of_rendered
from perfusynth.evaluation.model_figures.case_folders import case_of_folder
from perfusynth.evaluation.model_figures.methods import Method, ModelMethod, OnModelGrid
from perfusynth.generators.bundles import Bundle, read_bundle
from perfusynth.generators.loading import load_generator
from perfusynth.phantom.drawn import DrawnPatients
from perfusynth.phantom.render import render_on_model_grid

#: Digits of a weights' hash that tell models apart.
IDENTITY_DIGITS = 12


@dataclass(frozen=True)
class Plan:
    """One evaluation.

    Parameters
    ----------
    models
        Bundle folders; the first one's output ranges are the data ranges of image metrics.
    baselines
        File of the untrained baselines (`write_baselines`); None: none.
    data
        Folder of case folders; None: digital patients by seed.
    drawn
        Folder of drawn patients, read and added to; None: each is drawn, and not kept.
    device
        As `load_generator`.
    """

    models: tuple[Path, ...]
    baselines: Path | None = None
    data: Path | None = None
    drawn: Path | None = None
    device: str = "auto"

    def bundles(self) -> list[Bundle]:
        """The models' bundles.

        Raises
        ------
        InputError
            Code ``same_name``: rows could not be told apart.
        """
        found = [read_bundle(path) for path in self.models]
        names = [bundle.name for bundle in found]
        if len(set(names)) < len(names):
            raise InputError(
                "Two of these models have one name.",
                expected="bundle folders of different names",
                got=", ".join(names),
                hint="Copy one of them to a folder of another name.",
                code="same_name",
            )
        return found

    def method_identities(self) -> dict[str, str]:
        """Names of all methods and what each is told apart by, without loading a model."""
        models = {bundle.name: identity_of(bundle) for bundle in self.bundles()}
        return models | {rule.name: rule.identity for rule in (rules(self.baselines) if self.baselines else ())}

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Physical range of each map, from the first model that makes maps."""
        found: dict[str, tuple[float, float]] = {}
        for bundle in self.bundles():
            found = {output.name: output.range for output in bundle.spec.maps} | found
        return found

    def case(self, name: str) -> EvaluationCase:
        """The patient of that name: a seed, or a case folder."""
        if self.data is not None:
            return case_of_folder(self.data / name)
        seed = int(name)
        rendered = render_on_model_grid(seed) if self.drawn is None else _drawn(self.drawn)(seed)
        return case_of_rendered(rendered, _signs())


def plan_of(
    bundles: Sequence[Bundle],
    *,
    baselines: bool,
    data: Path | None = None,
    drawn: Path | None = None,
    device: str = "auto",
) -> Plan:
    """The plan for models that are read already, with the baselines that are shipped or without any."""
    rules_file = shipped_baselines() if baselines else None
    return Plan(tuple(bundle.path for bundle in bundles), rules_file, data, drawn, device)


def identity_of(bundle: Bundle) -> str:
    """What a model is told apart by: the beginning of its weights' hash."""
    return bundle.spec.weights_sha256[:IDENTITY_DIGITS]


@lru_cache(maxsize=1)
def _drawn(folder: Path) -> DrawnPatients:
    return DrawnPatients(folder)


@lru_cache(maxsize=1)
def _signs() -> SignReader:
    return shipped_sign_reader()


@lru_cache(maxsize=2)
def methods_of(plan: Plan) -> dict[str, Method]:
    """The methods by name; models are loaded once a process."""
    bundles = plan.bundles()
    found: list[Method] = [
        ModelMethod(bundle.name, identity_of(bundle), load_generator(bundle, device=plan.device), bundle.spec)
        for bundle in bundles
    ]
    if plan.baselines is not None:
        found += [OnModelGrid(rule, bundles[0].spec) for rule in rules(plan.baselines)]
    return {method.name: method for method in found}


def chosen(methods: dict[str, Method], names: Sequence[str]) -> list[Method]:
    """Methods by name."""
    return [methods[name] for name in names]
