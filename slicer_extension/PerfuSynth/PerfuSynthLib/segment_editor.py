"""Aims Slicer's Segment Editor at a segment, through the node that the module keeps its state in."""

from __future__ import annotations

from typing import Any

import slicer

#: By which Segment Editor finds its own node.
_TAG = "SegmentEditor"


def aim_segment_editor(scene: Any, segmentation: Any, segment: str, source_volume: Any) -> None:
    """Choose segmentation, segment and source volume, so that Segment Editor opens on them.

    A brush changes this segment alone: what it paints over in others stays theirs.
    """
    node = scene.GetSingletonNode(_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag(_TAG)
        node = scene.AddNode(node)
    node.SetAndObserveSegmentationNode(segmentation)
    node.SetAndObserveSourceVolumeNode(source_volume)
    node.SetSelectedSegmentID(segment)
    node.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
