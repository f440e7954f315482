"""What a model must share with the live one of its task, so that clients and results stay what they are."""

from typing import Any

from perfusynth.errors import InputError
from perfusynth.generators.bundles import Bundle, GeneratorSpec


def contract_of(spec: GeneratorSpec) -> dict[str, Any]:
    """What requests and results show of a model: its task, its inputs by name and unit, its outputs but their words.

    Windows, grid and network are the model's own business.
    """
    return {
        "task": spec.task,
        "inputs": [{"name": item.name, "unit": item.unit} for item in spec.inputs],
        "outputs": [item.model_dump(mode="json", exclude={"description"}) for item in spec.outputs],
    }


def check_contract(candidate: Bundle, live: Bundle) -> None:
    """Refuse a model that takes or makes something else than the live one.

    Raises
    ------
    InputError
        Code ``other_contract``.
    """
    wanted, offered = contract_of(live.spec), contract_of(candidate.spec)
    for part, expected in wanted.items():
        if offered[part] != expected:
            raise InputError(
                f"{candidate.name} cannot take the place of {live.name}: its {part} differs.",
                expected=f"{part} {_shown(expected)}",
                got=f"{part} {_shown(offered[part])}",
                hint="Promote a model of the same task that takes and makes the same.",
                code="other_contract",
            )


def _shown(part: Any) -> str:
    if isinstance(part, str):
        return part
    return ", ".join(" ".join(str(value) for value in item.values()) for item in part)
