"""The module PerfuSynth: perfusion maps from a plain head CT, made by a server, read over the CT in 3D Slicer."""

from __future__ import annotations

import slicer
from PerfuSynthLib.sample_data import register_sample_data
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class PerfuSynth(ScriptedLoadableModule):
    """What the program shows of the module before it is opened."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("PerfuSynth")
        parent.categories = ["Neuroimaging"]
        parent.dependencies = ["Segmentations"]
        parent.contributors = ["The PerfuSynth contributors"]
        parent.helpText = _(
            "Synthesizes perfusion maps (Tmax, CBF) from a non-contrast head CT on a PerfuSynth server and shows them "
            "over the CT. SYNTHETIC - research use only: no basis for a treatment decision. See docs/slicer.md."
        )
        parent.acknowledgementText = _("Licence: Apache 2.0.")
        slicer.app.connect("startupCompleted()", _on_startup)


def _on_startup():
    """Once the program is up: the phantom in Sample Data, and the layouts, which a saved scene may ask for."""
    from PerfuSynthLib.reading_layout import add_layouts

    register_sample_data()
    layouts = slicer.app.layoutManager()
    if layouts is not None:  # there is none without a main window
        add_layouts(layouts.layoutLogic().GetLayoutNode())


class PerfuSynthWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: loads the ``.ui`` file and joins it with the logic; what buttons do stands in ``PerfuSynthLib``."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self):
        """Build the panel; called once, when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        # Imported here: the program's start must not wait for what only an open module needs.
        from PerfuSynthLib.widget_panel import Panel

        self.panel = slicer.util.loadUI(self.resourcePath("UI/PerfuSynth.ui"))
        self.layout.addWidget(self.panel)
        self.ui = slicer.util.childWidgetVariables(self.panel)
        self.panel.setMRMLScene(slicer.mrmlScene)
        self.logic = PerfuSynthLogic()
        self.sections = Panel(self.ui, self.logic.session)
        self._observe_scene()
        self._on_scene_loaded()  # the scene may have brought a reading before the module was opened

    def cleanup(self):
        """The module or the program is closed: nothing keeps running."""
        self.removeObservers()
        if hasattr(self, "sections"):
            self.sections.close()
            self.logic.session.close()

    def enter(self):
        """The module comes to the front."""
        if hasattr(self, "sections"):
            self.sections.set_open(True)

    def exit(self):
        """Another module comes to the front; syntheses go on."""
        if hasattr(self, "sections"):
            self.sections.set_open(False)

    def _observe_scene(self):
        scene = slicer.mrmlScene
        self.addObserver(scene, slicer.vtkMRMLScene.StartCloseEvent, self._on_scene_close)
        self.addObserver(scene, slicer.vtkMRMLScene.EndImportEvent, self._on_scene_loaded)
        crosshair = scene.GetSingletonNode("default", "vtkMRMLCrosshairNode")
        if crosshair is None:
            crosshair = scene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        if crosshair is not None:
            event = slicer.vtkMRMLCrosshairNode.CursorPositionModifiedEvent
            self.addObserver(crosshair, event, self._on_cursor)

    def _on_scene_close(self, *_):
        self.logic.session.reader.let_go()
        self.sections.refresh()

    def _on_scene_loaded(self, *_):
        self.logic.session.reader.restore()
        self.sections.refresh()

    def _on_cursor(self, crosshair, *_):
        ras = [0.0, 0.0, 0.0]
        self.logic.session.reader.probe(ras if crosshair.GetCursorPositionRAS(ras) else None)
        self.sections.show_probe()


class PerfuSynthLogic(ScriptedLoadableModuleLogic):
    """The session behind the panel; scripts may use it without one: ``tick`` brings the answers in."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        from PerfuSynthLib.program import session_of_program

        self.session = session_of_program()


class PerfuSynthTest(ScriptedLoadableModuleTest):
    """What the button *Reload and Test* runs; ``Testing/Python`` has the rest."""

    def runTest(self):
        """The panel opens and asks for a server."""
        widget = slicer.util.getModuleWidget("PerfuSynth")
        self.assertIn("SYNTHETIC", widget.ui.bannerLabel.text)  # noqa: PT009 - Slicer runs unittest
