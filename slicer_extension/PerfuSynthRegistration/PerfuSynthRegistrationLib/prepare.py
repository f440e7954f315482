"""What a case needs before it can be looked at in all ways: seconds of work that may be done before it is its turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.problems import Problem

from .look_blend import shown_as_bytes
from .look_edges import edges_of
from .look_outline import outline_labels
from .look_settings import NCCT


class Prepared(NamedTuple):
    """Of a moving image, on its grid: its edges (0, 1) and the labels of its outlines, uint8."""

    edges: np.ndarray
    outline: np.ndarray


def prepare(
    moving: GridVolume, brain: np.ndarray | None = None, cancelled: Callable[[], bool] = lambda: False
) -> Prepared:
    """Edges and outlines of a moving image; touches no scene, so that any thread may do it.

    Parameters
    ----------
    moving
        The NCCT, HU.
    brain
        Its brain mask on the same grid; None: found inside the skull.
    cancelled
        Asked now and then; when it is true the work is given up.

    Raises
    ------
    Problem
        Code ``cancelled``.
    """
    edges = edges_of(GridVolume(shown_as_bytes(moving.array, NCCT.window), moving.affine))
    if cancelled():
        raise Problem("cancelled", "The preparation of the case was given up.", "")
    return Prepared(edges, outline_labels(moving, brain))
