"""Axial slices of a volume as pictures: patient's right on screen left, anterior on top, and which slices are shown."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

#: Thin slices are averaged to this thickness, mm: the slab that stroke NCCT is read at. [d]
DISPLAY_SLAB_MM = 5.0

#: Skull and scalp around the brain that a picture keeps, mm. [d]
HEAD_MARGIN_MM = 14.0

#: Slabs with less than this share of the largest brain area are vertex and base: shown only where the deficit is. [d]
MINIMUM_BRAIN_AREA = 0.2

#: Share of the choice that follows the deficit; the rest is spread over the brain. [d]
DEFICIT_WEIGHT = 0.5


class NearestRas(NamedTuple):
    """How a stored array is turned to the nearest RAS order: axes permuted, then some reversed; and the affine then."""

    order: tuple[int, int, int]
    reversed_axes: tuple[int, ...]
    affine: np.ndarray

    def turn(self, array: np.ndarray) -> np.ndarray:
        """The array in that order, a view of what was given."""
        return np.flip(np.transpose(array, self.order), self.reversed_axes)


def nearest_ras(affine: np.ndarray, shape: tuple[int, ...]) -> NearestRas:
    """The order of axes that lies nearest to right, anterior, superior; ``affine`` is voxel index to RAS, mm."""
    affine = np.asarray(affine, dtype=float)
    direction = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    x, y, z = max(itertools.permutations(range(3)), key=lambda o: sum(abs(direction[i, o[i]]) for i in range(3)))
    order = (x, y, z)
    backwards = tuple(axis for axis in range(3) if direction[axis, order[axis]] < 0)
    turned = affine[:, [*order, 3]]
    for axis in backwards:
        turned[:, 3] += turned[:, axis] * (shape[order[axis]] - 1)
        turned[:, axis] *= -1
    return NearestRas(order, backwards, turned)


class AxialView:
    """Chosen axial slabs of one grid, cropped to the head.

    Parameters
    ----------
    affine
        Voxel index to RAS, mm, of the stored arrays.
    brain, deficit
        Bool arrays on that grid; more slabs are shown where the deficit is.
    count
        Slabs wanted; fewer where the brain has fewer.

    Attributes
    ----------
    index, position_mm
        Middle slices of the slabs in RAS order, inferior first, and their z at the brain's centre.
    slabs
        How many slabs hold brain.
    slab_mm
        Thickness of a slab, mm.
    """

    def __init__(self, affine: np.ndarray, brain: np.ndarray, deficit: np.ndarray, count: int):
        self._ras = nearest_ras(affine, brain.shape)
        inside, sick = self._ras.turn(brain), self._ras.turn(deficit)
        if not inside.any():
            inside = np.ones(inside.shape, dtype=bool)
        spacing = np.linalg.norm(self._ras.affine[:3, :3], axis=0)
        flat = inside.any(axis=2)
        self._columns = _crop(flat.any(axis=1), spacing[0])
        self._rows = _crop(flat.any(axis=0), spacing[1])
        self._slab = max(1, round(float(DISPLAY_SLAB_MM / spacing[2])))
        self._spacing = spacing
        area = inside.sum(axis=(0, 1)).astype(float)
        extent = np.flatnonzero(area)
        centres = np.arange(extent[0] + (self._slab - 1) // 2, extent[-1] + 1, self._slab)
        centres = centres if centres.size else extent[:1]
        chosen = choose_slabs(area[centres], sick.sum(axis=(0, 1)).astype(float)[centres], count)
        self.index = tuple(int(centres[i]) for i in chosen)
        middle = [np.flatnonzero(line).mean() for line in (flat.any(axis=1), flat.any(axis=0))]
        self.position_mm = tuple(float((self._ras.affine @ [*middle, k, 1])[2]) for k in self.index)
        self.slabs = len(centres)
        self.slab_mm = float(self._slab * spacing[2])

    def pixels(self, width: int) -> tuple[int, int]:
        """Width and height of a picture ``width`` pixels wide, not distorted."""
        across = (self._columns.stop - self._columns.start) * self._spacing[0]
        down = (self._rows.stop - self._rows.start) * self._spacing[1]
        return width, max(1, round(float(width * down / across)))

    def picture(self, array: np.ndarray, index: int, size: tuple[int, int], average: bool = True) -> np.ndarray:
        """Slab ``index`` of a stored array, resampled to ``size`` (width, height): float32 ``(height, width)``.

        Without ``average`` it is the middle slice alone (masks).
        """
        ordered = self._ras.turn(array)
        half = self._slab // 2 if average else 0
        last = index - half + (self._slab if average else 1)
        slab = ordered[self._columns, self._rows, max(0, index - half) : min(ordered.shape[2], last)]
        # x runs to the patient's right, which belongs on screen left; y runs anterior, which belongs on top.
        screen = slab.mean(axis=2, dtype=np.float32)[::-1, ::-1].T
        width, height = size
        return _resampling(screen.shape[0], height) @ screen @ _resampling(screen.shape[1], width).T


def choose_slabs(area: np.ndarray, sick: np.ndarray, count: int) -> list[int]:
    """Indices, ascending, of at most ``count`` slabs of given brain and deficit area.

    They lie at even quantiles of a weight that mixes brain and deficit; the slab with the largest deficit is always
    among them; what quantiles share is replaced by the slab farthest from all chosen ones.
    """
    allowed = np.flatnonzero((area >= MINIMUM_BRAIN_AREA * area.max()) | (sick > 0))
    sick = sick[allowed]
    count = min(count, allowed.size)
    weight = np.ones(allowed.size) / allowed.size
    if sick.any():
        weight = (1 - DEFICIT_WEIGHT) * weight + DEFICIT_WEIGHT * sick / sick.sum()
    cumulative = np.cumsum(weight) - weight / 2
    chosen = {int(np.argmin(np.abs(cumulative - (i + 0.5) / count))) for i in range(count)}
    worst = int(np.argmax(sick))
    if sick.any() and worst not in chosen:
        chosen.remove(min(chosen, key=lambda i: abs(i - worst)))
        chosen.add(worst)
    while len(chosen) < count:
        others = [i for i in range(allowed.size) if i not in chosen]
        chosen.add(max(others, key=lambda i: min(abs(i - j) for j in chosen)))
    return [int(allowed[i]) for i in sorted(chosen)]


def _crop(line: np.ndarray, spacing: float) -> slice:
    index = np.flatnonzero(line)
    margin = int(np.ceil(HEAD_MARGIN_MM / spacing))
    return slice(max(0, int(index[0]) - margin), min(line.size, int(index[-1]) + margin + 1))


def _resampling(given: int, wanted: int) -> np.ndarray:
    """Matrix (wanted, given) that resamples a line of pixels: linear, and averaging where it gets smaller."""
    scale = given / wanted
    reach = max(1.0, scale)
    centre = (np.arange(wanted) + 0.5) * scale - 0.5
    weight = np.maximum(0, 1 - np.abs(np.arange(given) - centre[:, None]) / reach)
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
