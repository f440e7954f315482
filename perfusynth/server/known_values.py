"""Values of a request by name: those that a schema knows, those that stock clients send along, and no others."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import BaseModel

from perfusynth.server.problems import Problem, shown


def known_values(
    values: Mapping[str, Any], schema: type[BaseModel], ignored: Collection[str], bad: Callable[[str, str], Problem]
) -> dict[str, Any]:
    """The values but those ``ignored``.

    Parameters
    ----------
    bad
        Makes the problem of what was expected and what came.

    Raises
    ------
    Problem
        There is a value whose name the schema does not know.
    """
    given = {name: item for name, item in values.items() if name not in ignored}
    unknown = sorted(set(given) - set(schema.model_fields))
    if unknown:
        raise bad(f"only {', '.join(sorted(schema.model_fields))}", shown(unknown[0]))
    return given
