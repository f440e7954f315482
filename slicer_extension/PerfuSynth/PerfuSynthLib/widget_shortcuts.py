"""The keys of the module: alive while it is open, so that other modules keep theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt
import slicer

#: Key and what it does, in the order in which they are listed.
KEYS = (
    ("4", "Tmax > 4 s"),
    ("6", "Tmax > 6 s"),
    ("8", "Tmax > 8 s"),
    ("0", "Tmax > 10 s"),
    (",", "threshold lower"),
    (".", "threshold higher"),
    ("X", "outline / fill"),
    ("C", "core on / off"),
    ("Z", "map over CT on / off"),
    ("M", "mosaic / four views"),
)


def shortcuts_text() -> str:
    """The keys in a few lines."""
    return "Keys: " + " · ".join(f"<b>{key}</b> {what}" for key, what in KEYS)


def actions_of(read: Any) -> dict[str, Callable[[], None]]:
    """What each key does with the section Read."""
    return {
        "4": lambda: read.set_threshold(4.0),
        "6": lambda: read.set_threshold(6.0),
        "8": lambda: read.set_threshold(8.0),
        "0": lambda: read.set_threshold(10.0),
        ",": lambda: read.step_threshold(-1),
        ".": lambda: read.step_threshold(1),
        "X": read.toggle_fill,
        "C": read.toggle_core,
        "Z": read.toggle_map,
        "M": read.toggle_mosaic,
    }


class Shortcuts:
    """Keys of the program's window, by what they do."""

    def __init__(self, actions: Mapping[str, Callable[[], None]]):
        self._shortcuts = []
        for key, action in actions.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), slicer.util.mainWindow())
            shortcut.connect("activated()", action)
            shortcut.setEnabled(False)
            self._shortcuts.append(shortcut)

    def set_enabled(self, enabled: bool) -> None:
        """While the module is open, and there is something that they work on."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(enabled)

    def remove(self) -> None:
        """Give the keys back for good."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []
