"""The keys of the module: alive while it is open, so that other modules keep theirs."""

from __future__ import annotations

from collections.abc import Callable
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


class Shortcuts:
    """The keys, bound to the section Read."""

    def __init__(self, read: Any):
        actions: dict[str, Callable[[], None]] = {
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
        self._shortcuts = []
        for key, _ in KEYS:
            shortcut = qt.QShortcut(qt.QKeySequence(key), slicer.util.mainWindow())
            shortcut.connect("activated()", actions[key])
            shortcut.setEnabled(False)
            self._shortcuts.append(shortcut)

    def set_enabled(self, enabled: bool) -> None:
        """While the module is open, and a result is shown."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(enabled)

    def remove(self) -> None:
        """Give the keys back for good."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []
