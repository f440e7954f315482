"""Stand-ins of ``slicer.ScriptedLoadableModule`` and ``slicer.i18n``: as little of them as a module touches."""

import types
from pathlib import Path


def make_i18n() -> types.ModuleType:
    """Texts untranslated."""
    module = types.ModuleType("slicer.i18n")
    module.tr = lambda text: text
    module.translate = lambda context, text: text
    return module


def make_scripted_loadable_module(slicer, qt) -> types.ModuleType:
    """The four classes that a scripted module derives from."""
    module = types.ModuleType("slicer.ScriptedLoadableModule")

    class ScriptedLoadableModule:
        def __init__(self, parent):
            self.parent, self.moduleName = parent, self.__class__.__name__
            for name in ("title", "helpText", "acknowledgementText"):
                setattr(parent, name, "")
            parent.categories, parent.dependencies, parent.contributors = [], [], []

        def getDefaultModuleDocumentationLink(self, *_):
            return ""

    class ScriptedLoadableModuleWidget:
        def __init__(self, parent=None):
            self.moduleName = self.__class__.__name__.removesuffix("Widget")
            self.parent = parent
            self.layout = parent.layout()
            self.developerMode = False

        def resourcePath(self, filename):
            module = getattr(slicer.modules, self.moduleName.lower())
            return str(Path(module.path).parent / "Resources" / filename)

        def setup(self):
            pass

        def cleanup(self):
            pass

        def enter(self):
            pass

        def exit(self):
            pass

    class ScriptedLoadableModuleLogic:
        def __init__(self, parent=None):
            self.moduleName = self.__class__.__name__.removesuffix("Logic")

    import unittest

    class ScriptedLoadableModuleTest(unittest.TestCase):
        def delayDisplay(self, message, msec=0):
            pass

    for kind in (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    ):
        setattr(module, kind.__name__, kind)
    module.__all__ = [name for name in vars(module) if name.startswith("Scripted")]
    return module
