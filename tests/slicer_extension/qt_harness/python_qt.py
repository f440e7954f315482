"""The module ``qt`` as the desktop program's Python sees it (PythonQt), made out of PySide6."""

import os
import types

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

_ROOMS = (QtCore, QtGui, QtWidgets)


def application() -> QtWidgets.QApplication:
    """The one application of this process."""
    return QtWidgets.QApplication.instance() or QtWidgets.QApplication(["PerfuSynth"])


def connect(sender: QtCore.QObject, signature: str, slot) -> bool:
    """PythonQt's ``sender.connect("signal(arguments)", slot)``; a signal that there is not fails here, not silently."""
    name, _, arguments = signature.partition("(")
    signal = getattr(sender, name)
    if arguments == ")":
        signal.connect(lambda *_: slot())
    else:
        signal.connect(slot)
    return True


def process_events(seconds: float = 0.0) -> None:
    """Let timers and clicks do their work."""
    end = QtCore.QDeadlineTimer(int(seconds * 1000))
    while True:
        application().processEvents(QtCore.QEventLoop.ProcessEventsFlag.AllEvents, 20)
        if end.hasExpired():
            return
        QtCore.QThread.msleep(2)


def _as_attribute(name: str) -> property:
    return property(lambda self: self.property(name), lambda self, value: self.setProperty(name, value))


def _give_properties() -> None:
    """Qt's properties as Python attributes, as in PythonQt; the methods that set them stay."""
    for room in _ROOMS:
        for kind in [getattr(room, name) for name in dir(room)]:  # dir: classes come into being when asked for
            if isinstance(kind, type) and issubclass(kind, QtCore.QObject) and kind.__module__ == room.__name__:
                meta = kind.staticMetaObject
                for index in range(meta.propertyOffset(), meta.propertyCount()):
                    name = meta.property(index).name()
                    setattr(kind, name, _as_attribute(name))
    QtCore.QObject.name = _as_attribute("objectName")


class _UiLoader(QtUiTools.QUiLoader):
    """Makes widgets that `connect` by signature, and the stand-ins of Slicer's own."""

    def __init__(self, own_widgets: dict[str, type], qt: types.ModuleType):
        super().__init__()
        self._own, self._qt = own_widgets, qt
        self.unknown: list[str] = []

    def createWidget(self, class_name: str, parent=None, name: str = ""):
        kind = self._own.get(class_name) or getattr(self._qt, class_name, None)
        if kind is None:
            self.unknown.append(class_name)
            kind = self._qt.QWidget
        widget = kind(parent)
        widget.setObjectName(name)
        return widget


class PythonQt(types.ModuleType):
    """The module: every class of Qt under one name, with ``connect`` by signature."""

    def __init__(self):
        super().__init__("qt")
        self._own_widgets: dict[str, type] = {}

    def add_widgets(self, widgets: dict[str, type]) -> None:
        """Widgets that a ``.ui`` file may name beside Qt's."""
        self._own_widgets.update(widgets)

    def __getattr__(self, name: str):
        for room in _ROOMS:
            found = getattr(room, name, None)
            if found is None:
                continue
            if isinstance(found, type) and issubclass(found, QtCore.QObject) and name != "QCoreApplication":
                found = type(name, (found,), {"connect": connect})
            setattr(self, name, found)
            return found
        raise AttributeError(name)

    def QUiLoader(self):
        """A loader of ``.ui`` files; fails on a widget that is neither Qt's nor a stand-in."""
        loader = _UiLoader(self._own_widgets, self)

        def load(file):
            widget = loader_load(file)
            if loader.unknown:
                raise RuntimeError(f"the .ui file names widgets that are not known: {loader.unknown}")
            return widget

        loader_load, loader.load = loader.load, load
        return loader

    class QFileDialog:
        """Answers with what the test has put into ``answer``; PythonQt returns the name alone."""

        answer = ""

        @classmethod
        def getSaveFileName(cls, *_):
            return cls.answer

        getExistingDirectory = getOpenFileName = getSaveFileName


def make() -> PythonQt:
    """The module, with the application running."""
    application()
    _give_properties()
    return PythonQt()
