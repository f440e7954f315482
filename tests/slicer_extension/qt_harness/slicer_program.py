"""The desktop program around the module: what ``slicer.app`` and ``slicer.modules`` answer, and the module loaded as
the program loads it. The scene, the views and the pixels are `offscreen.Desktop`'s; everything here is scaffolding."""

import collections
import importlib
import sys
import types
from pathlib import Path

import slicer
import slicer.util
from offscreen import Desktop
from PySide6 import QtCore, QtWidgets

from qt_harness import python_qt, scripted_module, slicer_widgets


class Parent:
    """What a scripted module is given as ``parent``: attributes to set."""


class Program:
    """A running desktop program with one scripted module loaded.

    Parameters
    ----------
    module_file
        The module's ``.py``.
    settings_file
        Where the program keeps its settings.
    view_size
        Width and height of a slice view, pixels.
    """

    def __init__(self, module_file: Path, settings_file: Path, view_size: tuple[int, int] = (300, 300)):
        self.qt = _qt()
        self.desktop = Desktop(view_size)
        self.messages: list[str] = []
        self.answers: dict[str, bool] = {}
        self.sample_sources: list[dict] = []
        self.selected_modules: list[str] = []
        #: How often each slice view was asked to be drawn anew, as the desktop program does when it finds time.
        self.renders_asked: collections.Counter[str] = collections.Counter()
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetSingletonTag("default")
        self.desktop.scene.AddNode(crosshair)
        self._settings = self.qt.QSettings(str(settings_file), self.qt.QSettings.IniFormat)
        self.main_window = self.qt.QMainWindow()
        self.main_window.setObjectName("qSlicerMainWindow")
        self._install(module_file)
        self.module = importlib.import_module(module_file.stem)
        getattr(self.module, module_file.stem)(Parent())
        for start_up in self._start_up:
            start_up()
        panel = self.qt.QWidget()
        self.qt.QVBoxLayout(panel)
        self.main_window.setCentralWidget(panel)
        self.widget = getattr(self.module, f"{module_file.stem}Widget")(panel)
        self.widget.setup()
        self.ui = self.widget.ui

    def _install(self, module_file: Path) -> None:
        setattr(slicer.modules, module_file.stem.lower(), types.SimpleNamespace(path=str(module_file)))
        self._start_up = []
        # startupCompleted is a signal of the real application
        slicer.app = types.SimpleNamespace(
            applicationLogic=lambda: self.desktop.application,
            layoutManager=lambda: LayoutManager(self.desktop, self.renders_asked),
            userSettings=lambda: self._settings,
            connect=lambda signature, slot: self._start_up.append(slot),
            testingEnabled=lambda: False,
            applicationName="Slicer",
            temporaryPath=str(Path(self._settings.fileName()).parent),
            cachePath=str(Path(self._settings.fileName()).parent / "cache"),
        )
        util = slicer.util
        util.mainWindow = lambda: self.main_window
        util.findChildren = lambda widget: widget.findChildren(QtCore.QObject)
        util.getModuleWidget = lambda name: self.widget
        util.selectModule = lambda name: self.selected_modules.append(name)
        util.errorDisplay = lambda text, **_: self.messages.append(text)
        util.infoDisplay = util.warningDisplay = util.errorDisplay
        util.confirmOkCancelDisplay = util.confirmYesNoDisplay = self._confirm
        scripted = scripted_module.make_scripted_loadable_module(slicer, self.qt)
        slicer.ScriptedLoadableModule = scripted
        sys.modules["slicer.ScriptedLoadableModule"] = scripted
        sys.modules["slicer.i18n"] = slicer.i18n = scripted_module.make_i18n()
        sample_data = types.ModuleType("SampleData")
        sample_data.SampleDataLogic = types.SimpleNamespace(
            registerCustomSampleDataSource=lambda **source: self.sample_sources.append(source)
        )
        sys.modules["SampleData"] = sample_data
        slicer.modules.sampledata = types.SimpleNamespace()

    def _confirm(self, text: str, **_) -> bool:
        """Asks the test: what it has put into ``answers`` for words of the question; by default no."""
        self.messages.append(text)
        return any(answer for words, answer in self.answers.items() if words in text)

    def click(self, button) -> None:
        """A person's click: only where it is shown and enabled."""
        assert button.enabled, f"{button.objectName} cannot be pressed"
        button.click()
        python_qt.process_events()

    def wait(self, condition, seconds: float = 120.0):
        """Let the program run until a condition is true; returns what it gave."""
        end = QtCore.QDeadlineTimer(int(seconds * 1000))
        while not (found := condition()):
            python_qt.process_events(0.02)
            assert not end.hasExpired(), f"nothing after {seconds} s; the panel says: {self.told()}"
        return found

    def told(self) -> list[str]:
        """All texts of the labels that the panel shows."""
        labels = self.widget.panel.findChildren(QtWidgets.QLabel)
        return [label.text for label in labels if label.text and not label.isHidden()]

    def close(self) -> None:
        """End as the program does when it is closed."""
        self.widget.exit()
        self.widget.cleanup()
        self.widget.panel.setMRMLScene(None)
        self.main_window.deleteLater()
        python_qt.process_events()
        self.desktop.close()


class LayoutManager:
    """Slice widgets by view name, as `qSlicerLayoutManager` gives them."""

    def __init__(self, desktop: Desktop, renders_asked: collections.Counter[str]):
        self._desktop, self._renders_asked = desktop, renders_asked

    def layoutLogic(self):
        return types.SimpleNamespace(GetLayoutNode=lambda: self._desktop.layout)

    def sliceViewNames(self) -> tuple[str, ...]:
        return tuple(self._desktop.views())

    def sliceWidget(self, name: str):
        view = self._desktop.views().get(name)
        if view is None:
            return None
        slice_view = types.SimpleNamespace(
            renderWindow=lambda: view.window, scheduleRender=lambda: self._renders_asked.update([name])
        )
        return types.SimpleNamespace(sliceView=lambda: slice_view, sliceLogic=lambda: view.logic)


def _qt():
    """The stand-ins ``qt`` and ``ctk``, made once in a process."""
    if "qt" not in sys.modules:
        qt = python_qt.make()
        qt.add_widgets(slicer_widgets.make(qt))
        sys.modules["qt"] = qt
        sys.modules["ctk"] = types.ModuleType("ctk")
    return sys.modules["qt"]
