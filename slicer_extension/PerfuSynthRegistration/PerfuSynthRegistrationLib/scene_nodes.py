"""Nodes of a case leave the scene with all that came with them."""

from __future__ import annotations

from typing import Any


def remove_node(scene: Any, node: Any) -> None:
    """Take a displayable node out of the scene, and its display nodes, which Slicer would leave behind.

    Nothing happens where the node is gone already: users close scenes.
    """
    if not scene.IsNodePresent(node):
        return
    displays = [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    scene.RemoveNode(node)  # first: a view that still shows it would give it a new display node
    for display in displays:
        scene.RemoveNode(display)
