"""The keys of the module: alive while it is open and nothing else takes them, so that others keep theirs."""

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

#: Widgets that take keys themselves while they have the focus: who types or browses there means them.
_TAKE_KEYS = (
    "QLineEdit",
    "QAbstractSpinBox",
    "QTextEdit",
    "QPlainTextEdit",
    "QAbstractItemView",
    "QAbstractSlider",
    "QComboBox",
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
        self._shortcuts: list[Any] = []
        self._wanted = self._alive = False
        for key, action in actions.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), slicer.util.mainWindow())
            shortcut.connect("activated()", action)
            shortcut.setEnabled(False)
            self._shortcuts.append(shortcut)

    def set_enabled(self, enabled: bool) -> None:
        """While the module is open, and there is something that they work on."""
        self._wanted = enabled
        self.follow_focus()

    def follow_focus(self) -> None:
        """Leave the keys to a widget that takes them, while it has the focus; called by the panel's timer."""
        focused = qt.QApplication.focusWidget()
        elsewhere = focused is not None and any(focused.inherits(kind) for kind in _TAKE_KEYS)
        alive = self._wanted and not elsewhere
        if alive != self._alive:
            self._alive = alive
            for shortcut in self._shortcuts:
                shortcut.setEnabled(alive)

    def remove(self) -> None:
        """Give the keys back for good."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []
