"""The module's keys: fine steps, undo, ways of looking; alive while the module is open and a case is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .fine_steps import STEPS
from .look_settings import LOOKS


def actions_of(ui: Any, look: Any, correct: Any) -> dict[str, Callable[[], None]]:
    """What each key does with the sections Look and Correct.

    Where a person types or browses, keys stay there (`Shortcuts.follow_focus`).
    """
    actions: dict[str, Callable[[], None]] = {
        "X": look.flip,
        "O": lambda: look.toggle(ui.outlineBox),
        "B": lambda: look.toggle(ui.sideBySideBox),
        "H": lambda: look.toggle(ui.handlesBox),
        "L": lambda: look.toggle(ui.markButton),
        "Z": correct.undo,
        "Y": correct.redo,
    }
    for number, name in enumerate(LOOKS, 1):
        actions[str(number)] = lambda name=name: look.look(name)
    for step in STEPS:
        actions[step.key] = lambda key=step.key: correct.step(key, False)
        actions[f"Shift+{step.key}"] = lambda key=step.key: correct.step(key, True)
    return actions
