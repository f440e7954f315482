"""Two models' figures on the same cases: what an admin sees before one takes the other's place."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perfusynth.errors import InputError
from perfusynth.generators.bundles import Bundle


@dataclass(frozen=True)
class ModelFigures:
    """One model's figures by name; None where a figure does not exist on these cases."""

    name: str
    weights_sha256: str
    figures: Mapping[str, float | None]


@dataclass(frozen=True)
class Comparison:
    """What both models reached.

    Parameters
    ----------
    cases
        Which patients, in words: ``phantom seeds 7000000:7001000``.
    candidate, live
        Their figures; no ``live`` where the task has no model yet.
    report_sha256
        Of the report's ``report.json``, which tells more.
    verdict
        Which of the two the report's rule would choose, and why.
    """

    cases: str
    candidate: ModelFigures
    live: ModelFigures | None
    report_sha256: str
    verdict: str | None = None

    def check_weights(self, candidate: Bundle, live: Bundle | None) -> None:
        """Refuse figures of other weights than those at hand.

        Raises
        ------
        InputError
            Code ``other_report``.
        """
        for bundle, compared in ((candidate, self.candidate), (live, self.live)):
            if bundle is not None and (compared is None or compared.weights_sha256 != bundle.weights_sha256()):
                raise other_report(bundle, "nothing of it" if compared is None else compared.weights_sha256)

    def rows(self) -> list[tuple[str, float | None, float | None]]:
        """Name, the live model's and the candidate's value of each figure that either has."""
        live = self.live.figures if self.live else {}
        names = dict.fromkeys([*live, *self.candidate.figures])
        return [(name, live.get(name), self.candidate.figures.get(name)) for name in names]

    def as_json(self) -> dict[str, Any]:
        """For the history."""
        models = {"candidate": self.candidate, "live": self.live}
        return {
            "cases": self.cases,
            "verdict": self.verdict,
            **{role: dict(model.figures) if model else None for role, model in models.items()},
        }


def other_report(bundle: Bundle, got: str) -> InputError:
    """Figures of other weights than a bundle's."""
    return InputError(
        f"The figures are not those of {bundle.name} as it is.",
        expected=f"figures of the weights {bundle.weights_sha256()}",
        got=got,
        hint="Evaluate both models on the same cases again: perfusynth evaluate LIVE CANDIDATE.",
        code="other_report",
    )
