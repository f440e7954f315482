"""The module PerfuSynthRegistration: annotators judge and correct the registration of NCCT and CT perfusion."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class PerfuSynthRegistration(ScriptedLoadableModule):
    """What the program shows of the module before it is opened."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("PerfuSynth Registration")
        parent.categories = ["Neuroimaging"]
        parent.dependencies = ["PerfuSynth"]
        parent.contributors = ["The PerfuSynth contributors"]
        parent.helpText = _(
            "Shows the cases of a PerfuSynth server whose registration of plain CT and CT perfusion is most probably "
            "wrong, lets annotators correct them and sends their verdict back. Research use only. See "
            "docs/slicer_registration.md."
        )
        parent.acknowledgementText = _("Licence: Apache 2.0.")


class PerfuSynthRegistrationWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: loads the ``.ui`` file and joins it with the session; what buttons do stands in the library."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self):
        """Build the panel; called once, when the module is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        # Imported here: the program's start must not wait for what only an open module needs.
        from PerfuSynthRegistrationLib.widget_panel import Panel

        self.panel = slicer.util.loadUI(self.resourcePath("UI/PerfuSynthRegistration.ui"))
        self.layout.addWidget(self.panel)
        self.ui = slicer.util.childWidgetVariables(self.panel)
        self.panel.setMRMLScene(slicer.mrmlScene)
        self.logic = PerfuSynthRegistrationLogic()
        self.sections = Panel(self.ui, self.logic.session)
        self.addObserver(slicer.mrmlScene, slicer.vtkMRMLScene.StartCloseEvent, self._on_scene_close)

    def cleanup(self):
        """The module or the program is closed: unsent work is kept, cases are given back."""
        self.removeObservers()
        if hasattr(self, "sections"):
            self.sections.close()
            self.logic.session.close()

    def enter(self):
        """The module comes to the front."""
        if hasattr(self, "sections"):
            self.sections.set_open(True)

    def exit(self):
        """Another module comes to the front."""
        if hasattr(self, "sections"):
            self.sections.set_open(False)

    def _on_scene_close(self, *_):
        self.logic.session.scene_closes()
        self.sections.refresh()


class PerfuSynthRegistrationLogic(ScriptedLoadableModuleLogic):
    """The session behind the panel; scripts may use it without one: ``tick`` brings the answers in."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        from PerfuSynthRegistrationLib.session_program import session_of_program

        self.session = session_of_program()


class PerfuSynthRegistrationTest(ScriptedLoadableModuleTest):
    """What the button *Reload and Test* runs; ``Testing/Python`` has the rest."""

    def runTest(self):
        """The panel opens and asks for a server."""
        widget = slicer.util.getModuleWidget("PerfuSynthRegistration")
        self.assertFalse(widget.ui.nextButton.enabled)  # noqa: PT009 - Slicer runs unittest
