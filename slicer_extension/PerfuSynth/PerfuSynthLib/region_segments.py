"""The segmentation of a result: hypoperfusion and core on the maps' grid, and what a radiologist made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from .map_volumes import SYNTHETIC_ATTRIBUTE
from .node_geometry import matrix_of

#: Ids of the segments that follow the thresholds; they stay when the names change.
HYPOPERFUSION, CORE = "hypoperfusion", "core"
#: Ids of what is kept: the computed region before an edit, and an edited region once the threshold moves on.
ORIGINAL, EDITED = "original", "edited"
#: Colours, 0 to 1: the hues of the server's report, pale enough to be seen on a map's own green; yellow what a person
#: drew, grey what it was before. [d]
COLOURS = {
    HYPOPERFUSION: (0.78, 1.0, 0.84),
    CORE: (1.0, 0.49, 0.88),
    EDITED: (1.0, 0.85, 0.2),
    ORIGINAL: (0.7, 0.7, 0.7),
}
#: Width of outlines, screen pixels. [d]
OUTLINE_WIDTH = 2
_LABELMAP = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()


def add_segmentation(scene: Any, reference: Any) -> Any:
    """A segmentation node without segments, whose geometry is that of ``reference`` (a map's volume node)."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Regions SYNTHETIC")
    node.SetAttribute(SYNTHETIC_ATTRIBUTE, "regions")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(reference)
    node.GetDisplayNode().SetSliceIntersectionThickness(OUTLINE_WIDTH)
    node.GetDisplayNode().SetOpacity2DFill(1.0)  # segments have an opacity of their own
    node.GetDisplayNode().SetOpacity2DOutline(1.0)
    return node


class RegionSegments:
    """Segments as bool arrays on the maps' grid.

    Parameters
    ----------
    node
        A vtkMRMLSegmentationNode in a scene: new from `add_segmentation`, or one that came with a scene.
    shape, affine
        The maps' grid: (x, y, z) and 4x4 voxel index to RAS, mm.
    """

    def __init__(self, node: Any, shape: tuple[int, int, int], affine: np.ndarray):
        self.node = node
        self.shape = shape
        self.affine = affine
        self._given: dict[str, np.ndarray] = {}

    def has(self, segment: str) -> bool:
        """Whether there is such a segment."""
        return self.node.GetSegmentation().GetSegment(segment) is not None

    def name(self, segment: str) -> str:
        """The segment's name as the user sees it."""
        return self.node.GetSegmentation().GetSegment(segment).GetName()

    def put(self, segment: str, mask: np.ndarray, name: str) -> None:
        """Make the segment this mask (bool, the maps' grid), adding it where it is missing.

        The mask is kept as what `given` tells: it must not be written to any more.
        """
        segmentation = self.node.GetSegmentation()
        image = self._oriented(mask)
        found = segmentation.GetSegment(segment)
        self._given[segment] = mask
        if found is None:
            found = slicer.vtkSegment()
            found.SetName(name)
            found.SetColor(*COLOURS[segment.split("-")[0]])
            found.AddRepresentation(_LABELMAP, image)
            segmentation.AddSegment(found, segment)
            self.set_fill(segment, 0.0)
            return
        if found.GetName() != name:
            found.SetName(name)
        if segmentation.IsSharedBinaryLabelmap(segment):  # a scene's file may hold several segments in one image
            segmentation.SeparateSegmentLabelmap(segment)
        found.SetLabelValue(1)
        found.GetRepresentation(_LABELMAP).ShallowCopy(image)
        self.node.Modified()  # views look at the node, editors at the image

    def mask(self, segment: str) -> np.ndarray:
        """The segment as it is now, bool on the maps' grid, whatever grid an editor left it on."""
        image = slicer.vtkOrientedImageData()
        found = self.node.GetBinaryLabelmapRepresentation(segment, image)
        if not found or image.GetPointData().GetScalars() is None:
            return np.zeros(self.shape, bool)
        on_grid = slicer.vtkOrientedImageData()
        slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
            image, self._oriented(np.zeros(self.shape, bool, order="F")), on_grid
        )
        scalars = vtk_to_numpy(on_grid.GetPointData().GetScalars())
        return scalars.reshape(on_grid.GetDimensions()[::-1]).T > 0

    def given(self, segment: str) -> np.ndarray | None:
        """The mask that `put` gave the segment last; None where the segment came with a scene."""
        return self._given.get(segment)

    def remember(self, segment: str, mask: np.ndarray) -> None:
        """Take a mask for what `put` gave the segment last, where a scene brought the segment."""
        self._given[segment] = mask

    def rename(self, segment: str, name: str) -> None:
        """Give the segment another name."""
        self.node.GetSegmentation().GetSegment(segment).SetName(name)

    def remove(self, segment: str) -> None:
        """Take the segment out of the segmentation."""
        self._given.pop(segment, None)
        self.node.GetSegmentation().RemoveSegment(segment)

    def show(self, segment: str, visible: bool) -> None:
        """Show or hide a segment in all views."""
        self.node.GetDisplayNode().SetSegmentVisibility(segment, visible)

    def set_fill(self, segment: str, opacity: float) -> None:
        """Fill the segment with this opacity, 0 (outline only) to 1."""
        display = self.node.GetDisplayNode()
        display.SetSegmentVisibility2DFill(segment, opacity > 0)
        display.SetSegmentOpacity2DFill(segment, opacity)
        display.SetSegmentVisibility2DOutline(segment, True)

    def _oriented(self, mask: np.ndarray) -> Any:
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(self.shape)
        image.SetGeometryFromImageToWorldMatrix(matrix_of(self.affine))
        flat = mask.ravel(order="F").view(np.uint8)
        image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True))
        return image
