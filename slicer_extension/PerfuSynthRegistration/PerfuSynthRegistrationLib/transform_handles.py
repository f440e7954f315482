"""Handles in the slice views that move and turn the moving image; Slicer's own, without those that would stretch it."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Size of the handles, % of the view. [d]
_SIZE_PERCENT = 18.0


def add_handles(transform: Any, centre: np.ndarray) -> None:
    """Give a linear transform node handles at a point (RAS, mm, in the moving frame): what it turns about."""
    transform.CreateDefaultDisplayNodes()
    transform.SetCenterOfTransformation(*(float(mm) for mm in centre))
    shown = transform.GetDisplayNode()
    shown.SetEditorVisibility3D(False)
    shown.SetEditorTranslationEnabled(True)
    shown.SetEditorTranslationSliceEnabled(True)
    shown.SetEditorRotationEnabled(True)
    shown.SetEditorRotationSliceEnabled(True)
    shown.SetEditorScalingEnabled(False)  # rigid: a head does not grow
    shown.SetEditorScalingSliceEnabled(False)
    shown.SetInteractionSizeAbsolute(False)
    shown.SetInteractionScalePercent(_SIZE_PERCENT)


def show_handles(transform: Any, visible: bool) -> None:
    """Show or hide the handles of `add_handles`."""
    shown = transform.GetDisplayNode()
    shown.SetEditorVisibility(visible)
    shown.SetEditorSliceIntersectionVisibility(visible)


def is_dragged(transform: Any) -> bool:
    """Whether somebody holds a handle now."""
    return int(transform.GetDisplayNode().GetActiveInteractionType()) > 0
