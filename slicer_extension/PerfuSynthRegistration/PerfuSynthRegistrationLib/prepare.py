"""What a case needs before it can be looked at in all ways: seconds of work that may be done before it is its turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.problems import Problem

from .blocks import block_means
from .look_blend import shown_as_bytes
from .look_edges import edges_of
from .look_outline import outline_labels
from .look_settings import NCCT, ImageKind
from .nmi import LiveNmi

#: Edges and outlines are found in pixels of about this size, mm: lines of the screen's width, in a quarter of the
#: time. [d]
PIXEL_MM = 0.8
#: HU beyond which nothing is told apart.
_LIMITS = (-1000.0, 2000.0)
#: So many places of the head are followed to tell how far it went. [d]
_HEAD_PLACES = 2000


class Prepared(NamedTuple):
    """Edges of a moving image (0, 1) and labels of its outlines (`look_outline`), uint8, on one grid of its own."""

    edges: GridVolume
    outline: GridVolume


class Compared(NamedTuple):
    """What tells how a pair of images lies.

    Attributes
    ----------
    head
        Mask on the fixed image's grid.
    places
        Places all over it (n, 3; RAS, mm).
    nmi
        Their mutual information under any transform.
    """

    head: GridVolume
    places: np.ndarray
    nmi: LiveNmi


def prepare(moving: GridVolume, cancelled: Callable[[], bool] = lambda: False) -> Prepared:
    """Edges and outlines of a moving image; touches no scene, so that any thread may do it.

    Parameters
    ----------
    moving
        The NCCT, HU.
    cancelled
        Asked now and then; when it is true the work is given up.

    Raises
    ------
    Problem
        Code ``cancelled``.
    """
    blocks = block_means(moving, PIXEL_MM, _LIMITS)
    edges = edges_of(GridVolume(shown_as_bytes(blocks.array, NCCT.window), blocks.affine))
    if cancelled():
        raise Problem("cancelled", "The preparation of the case was given up.", "")
    return Prepared(GridVolume(edges, blocks.affine), GridVolume(outline_labels(blocks), blocks.affine))


def compare(fixed: GridVolume, moving: GridVolume, kind: ImageKind) -> Compared:
    """What tells how a pair of images lies; touches no scene. ``kind`` is what the fixed one is; the other: NCCT."""
    head = GridVolume(fixed.array > kind.head_above, fixed.affine)
    return Compared(head, _places(head), LiveNmi(fixed, moving, (kind, NCCT)))


def _places(mask: GridVolume) -> np.ndarray:
    """RAS (n, 3; mm) of voxels of a mask, evenly among them; of the grid's where it is empty."""
    inside = mask.array.ravel(order="F")  # the order in memory of what comes from a scene or a file: no copy
    found = np.flatnonzero(inside)
    if not len(found):
        found = np.arange(inside.size)
    found = found[:: max(1, len(found) // _HEAD_PLACES)]
    index = np.stack(np.unravel_index(found, mask.array.shape, order="F"), axis=1)
    return index @ mask.affine[:3, :3].T + mask.affine[:3, 3]
