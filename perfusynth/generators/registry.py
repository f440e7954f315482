"""Which bundle is live for which task: the shipped default, or what the installation's ``registry.json`` says."""

import json

from perfusynth import atomic
from perfusynth.errors import InputError
from perfusynth.generators.bundles import Bundle, installed_bundles
from perfusynth.generators.candidates import candidates
from perfusynth.home import home

#: The bundle that serves each task when ``registry.json`` does not name another.
SHIPPED = {"ncct_perfusion": "ncct_perfusion_compact"}


def live_names() -> dict[str, str]:
    """Task name to bundle name.

    Raises
    ------
    InputError
        Code ``bad_registry``: ``registry.json`` cannot be read.
    """
    return SHIPPED | chosen_names()


def chosen_names() -> dict[str, str]:
    """What ``registry.json`` says, without the shipped defaults; nothing where there is no such file.

    Raises
    ------
    InputError
        Code ``bad_registry``.
    """
    path = home() / "registry.json"
    if not path.exists():
        return {}
    try:
        chosen: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(k, str) and isinstance(v, str) for k, v in chosen.items()):
            raise ValueError("not a mapping of names")
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            "The model registry cannot be read.",
            expected=f"{path.name} as a JSON object of task name to bundle name",
            got=str(error),
            hint="Mend or remove the file; without it the shipped models are live.",
            code="bad_registry",
        ) from error
    return chosen


def choose(task: str, name: str | None) -> None:
    """Write into ``registry.json`` that a bundle is live for a task; None: the shipped one, or none, is again.

    Only `perfusynth.promotion` calls it, which checks the bundle first and keeps the history.

    Raises
    ------
    InputError
        Code ``bad_registry``: the file that is there cannot be read; it is not overwritten.
    """
    chosen = {known: bundle for known, bundle in chosen_names().items() if known != task}
    if name is not None:
        chosen[task] = name
    atomic.write_bytes(home() / "registry.json", json.dumps(chosen, indent=2).encode() + b"\n")


def installed_tasks() -> dict[str, Bundle]:
    """The live bundle of every task whose bundle is installed."""
    bundles = installed_bundles()
    return {task: bundles[name] for task, name in live_names().items() if name in bundles}


def live_bundle(task_or_name: str) -> Bundle:
    """The live bundle of a task, or the installed bundle or candidate of that very name.

    Raises
    ------
    InputError
        Code ``unknown_model``.
    """
    tasks, bundles = installed_tasks(), candidates() | installed_bundles()
    bundle = tasks.get(task_or_name) or bundles.get(task_or_name)
    if bundle is None:
        known = sorted({*tasks, *bundles})
        raise InputError(
            f"There is no model {task_or_name[:64]!r}.",
            expected=f"one of {', '.join(known) or '(none installed)'}",
            got=repr(task_or_name[:64]),
            hint="`perfusynth models` lists what is installed.",
            code="unknown_model",
        )
    return bundle
