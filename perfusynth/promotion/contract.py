"""What a model must share with the live one of its task, so that clients and results stay what they are."""

from typing import Any

from perfusynth.errors import InputError
from perfusynth.generators.bundles import Bundle, GeneratorSpec


def check_contract(candidate: Bundle, live: Bundle) -> None:
    """Refuse a model that takes something else than the live one, or makes less.

    Inputs are compared by name and unit, outputs by all but their words and the cut of a region; more outputs than the
    live model's take nothing from anybody. Windows, grid and network are the model's own business.

    Raises
    ------
    InputError
        Code ``other_contract``.
    """
    if candidate.spec.task != live.spec.task:
        raise _other(candidate, live, "task", live.spec.task, candidate.spec.task)
    wanted, offered = _inputs(live.spec), _inputs(candidate.spec)
    if wanted != offered:
        raise _other(candidate, live, "inputs", _shown(wanted), _shown(offered))
    wanted, offered = _outputs(live.spec), _outputs(candidate.spec)
    if any(output not in offered for output in wanted):
        raise _other(candidate, live, "outputs", _shown(wanted), _shown(offered))


def _inputs(spec: GeneratorSpec) -> list[dict[str, Any]]:
    return [{"name": item.name, "unit": item.unit} for item in spec.inputs]


def _outputs(spec: GeneratorSpec) -> list[dict[str, Any]]:
    return [item.model_dump(mode="json", exclude={"description", "region_above"}) for item in spec.outputs]


def _other(candidate: Bundle, live: Bundle, part: str, expected: str, got: str) -> InputError:
    return InputError(
        f"{candidate.name} cannot take the place of {live.name}: its {part} differ.",
        expected=f"{part} {expected}",
        got=f"{part} {got}",
        hint="Promote a model of the same task that takes the same and makes as much.",
        code="other_contract",
    )


def _shown(items: list[dict[str, Any]]) -> str:
    return ", ".join(" ".join(str(value) for value in item.values()) for item in items)
