"""The desktop program's views without the desktop program: scene, layout and slice views, rendered to numpy arrays.

Everything in here that makes a picture is Slicer's own (slicer-core): scene, layout logic, slice logics, displayable
managers, compositing. Only what Qt does in the desktop program is done here by hand: a window for each view.
"""

from __future__ import annotations

import os
import types
from typing import Any

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

import numpy as np
import slicer
import vtk
from PerfuSynthLib.node_geometry import set_volume
from vtk.util.numpy_support import vtk_to_numpy

#: What a slice view of the desktop program shows beside the images, and what this project shows in it.
_DISPLAYABLE_MANAGERS = (
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
)


class View:
    """One slice view: its node and logic, and a window of its own that is never on a screen."""

    def __init__(self, desktop: Desktop, node: Any, size: tuple[int, int]):
        self.node = node
        self.name: str = node.GetLayoutName()
        self.renderer = vtk.vtkRenderer()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)  # before the first frame: software rendering has no time for it
        self.window.SetSize(*size)
        self.window.AddRenderer(self.renderer)
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(self._mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(actor)  # before all else: what is drawn over it must come after it
        self.interactor = vtk.vtkGenericRenderWindowInteractor()  # displayable managers crash without one
        self.interactor.SetRenderWindow(self.window)
        self.managers = slicer.vtkMRMLDisplayableManagerGroup()
        self.managers.SetRenderer(self.renderer)
        self.managers.Initialize(desktop.factory, self.renderer)
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(desktop.application)
        desktop.application.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(desktop.scene)
        self.logic.SetSliceNode(node)
        self.managers.SetMRMLDisplayableNode(node)
        self.resize(size)

    def resize(self, size: tuple[int, int]) -> None:
        """Give the view another size, pixels; the window and the field of view follow, as on a desktop."""
        self.window.SetSize(*size)
        self.logic.ResizeSliceNode(*size)
        self.node.SetDimensions(size[0], size[1], 1)

    def fit(self) -> None:
        """Show the whole of the background volume."""
        self.logic.FitSliceToAll(*self.window.GetSize())
        self.logic.SnapSliceOffsetToIJK()

    def render(self) -> None:
        """Draw what the scene holds now."""
        self._mapper.SetInputConnection(self.logic.GetImageDataConnection())
        self.window.Render()

    def pixels(self) -> np.ndarray:
        """What is on the screen: uint8 (height, width, 3), first row on top."""
        self.render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.Update()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[::-1, :, :3].copy()

    def at(self, ras) -> tuple[int, int]:
        """Row and column of ``pixels`` where a place in the patient (RAS, mm) is seen."""
        to_view = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.node.GetXYToRAS(), to_view)
        x, y = to_view.MultiplyPoint((*ras, 1.0))[:2]
        return round(self.window.GetSize()[1] - 1 - y), round(x)

    def close(self) -> None:
        """Let go of scene and window, in the order in which nothing asks for what is gone."""
        self.managers.SetMRMLDisplayableNode(None)
        self.logic.SetMRMLScene(None)
        self.window.Finalize()


class Desktop:
    """A scene with the logics that the desktop program starts with.

    Parameters
    ----------
    size
        Width and height of a view, pixels.
    """

    def __init__(self, size: tuple[int, int] = (400, 400)):
        self.size = size
        self.scene = slicer.vtkMRMLScene()
        slicer.mrmlScene = self.scene
        self.application = slicer.vtkSlicerApplicationLogic()
        self.application.SetMRMLScene(self.scene)
        self.application.GetColorLogic().SetMRMLScene(self.scene)
        self.application.GetColorLogic().AddDefaultColorNodes()
        self.application.SetSliceLogics(vtk.vtkCollection())
        self.application.SetViewLogics(vtk.vtkCollection())
        self.factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        self.factory.SetMRMLApplicationLogic(self.application)
        for name in _DISPLAYABLE_MANAGERS:
            if not self.factory.IsDisplayableManagerRegistered(name):
                self.factory.RegisterDisplayableManager(name)
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        self._segmentations = slicer.vtkSlicerSegmentationsModuleLogic()
        self._segmentations.SetMRMLScene(self.scene)
        slicer.modules = types.SimpleNamespace(segmentations=types.SimpleNamespace(logic=lambda: self._segmentations))
        self._layouts = slicer.vtkMRMLLayoutLogic()
        self._layouts.SetMRMLScene(self.scene)
        self._links = slicer.vtkMRMLSliceLinkLogic()
        self._links.SetMRMLApplicationLogic(self.application)
        self._links.SetMRMLScene(self.scene)
        self._views: dict[str, View] = {}

    @property
    def layout(self) -> Any:
        """The layout node."""
        return self._layouts.GetLayoutNode()

    def views(self) -> dict[str, View]:
        """The slice views of the current layout by name; new ones get a window."""
        nodes = self._layouts.GetViewNodes()
        shown = [nodes.GetItemAsObject(i) for i in range(nodes.GetNumberOfItems())]
        for node in shown:
            if node.IsA("vtkMRMLSliceNode") and node.GetLayoutName() not in self._views:
                self._views[node.GetLayoutName()] = View(self, node, self.size)
        return {
            node.GetLayoutName(): self._views[node.GetLayoutName()] for node in shown if node.IsA("vtkMRMLSliceNode")
        }

    def renderer(self, view_name: str) -> Any:
        """The renderer of a view, or None where the layout does not show it: what `Reading` asks for."""
        view = self.views().get(view_name)
        return view.renderer if view else None

    def load(self, path: Any) -> bool:
        """Load an .mrb into the scene, as *Add data* does; it is unpacked beside it."""
        cache = slicer.vtkCacheManager()
        cache.SetRemoteCacheDirectory(str(path.parent))
        files = slicer.vtkDataIOManager()
        files.SetCacheManager(cache)
        self.scene.SetCacheManager(cache)
        self.scene.SetDataIOManager(files)
        return bool(self.scene.ReadFromMRB(str(path), True))

    def add_volume(self, volume: Any, name: str = "CT") -> Any:
        """A volume node of a GridVolume, as a loader would make it."""
        node = self.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        set_volume(node, volume)
        node.CreateDefaultDisplayNodes()
        return node

    def close(self) -> None:
        """Empty the scene and let the windows go."""
        self.scene.Clear(0)
        for view in self._views.values():
            view.close()
        self._views = {}
        self.application.GetSliceLogics().RemoveAllItems()
