"""A bundle's ``train.json``: plain values for one known entry, read without executing anything in it."""

import json
from pathlib import Path
from typing import Any

from perfusynth.errors import InputError

#: The only target that a bundle may name.
TARGET = "perfusynth.training.run"
#: Beginnings of strings that MONAI's parser would evaluate, look up or import.
EVALUATED = ("$", "@", "%")


def settings_of(bundle: Path) -> dict[str, Any]:
    """The plain values of a bundle's training run.

    Raises
    ------
    InputError
        Code ``bad_train_json``: the file is missing, names another target, or holds an expression.
    """
    try:
        content = json.loads((bundle / "configs" / "train.json").read_text(encoding="utf-8"))
        found = dict(content["run"])
        target = found.pop("_target_")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _refused(type(error).__name__) from error
    if set(content) != {"run"} or target != TARGET:
        raise _refused("another target, or more than one entry")
    unsafe = _unsafe(found)
    if unsafe:
        raise _refused(unsafe)
    return found


def _unsafe(value: Any) -> str | None:
    """What in a value would be executed, None where nothing would."""
    if isinstance(value, dict):
        if any(str(key).startswith("_") or "#" in str(key) or "::" in str(key) for key in value):
            return "a key that MONAI would act on"
        return next((found for inner in value.values() if (found := _unsafe(inner))), None)
    if isinstance(value, list):
        return next((found for inner in value if (found := _unsafe(inner))), None)
    return "an expression" if isinstance(value, str) and value.startswith(EVALUATED) else None


def _refused(got: str) -> InputError:
    return InputError(
        "This bundle's train.json cannot be used.",
        expected=f'{{"run": {{"_target_": "{TARGET}", plain values}}}}',
        got=got,
        hint="Take the train.json of a bundle that came with perfusynth as an example.",
        code="bad_train_json",
    )
