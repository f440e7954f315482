"""Which axial slices a report shows, and how a slice becomes a picture in radiological orientation."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from PIL import Image
from scipy import ndimage

from perfusynth.volumes.volume import Volume

#: Thin slices are averaged to this thickness for display, mm: the slab that stroke NCCT is read at.
DISPLAY_SLAB_MM = 5.0

#: Skull and scalp around the brain that a panel keeps, mm.
HEAD_MARGIN_MM = 14.0

#: Slabs with less than this share of the largest brain area are vertex and base: shown only where the deficit is.
MINIMUM_BRAIN_AREA = 0.2

#: Share of the choice that follows the deficit; the rest is spread over the brain.
DEFICIT_WEIGHT = 0.5


@dataclass(frozen=True, eq=False)
class AxialView:
    """A volume's axial slices as seen on screen: patient's right on screen left, anterior on top.

    Parameters
    ----------
    orientation
        nibabel orientation that takes stored arrays to the nearest RAS order.
    affine
        Voxel to RAS+ mm of the reordered grid.
    rows, columns
        Crop to the head along the reordered grid's y and x.
    slab
        Slices that are averaged around each shown one.
    index, position_mm
        Shown slices of the reordered grid, inferior first; their z (positive superior) at the brain's centre.
    slabs
        How many slabs hold brain.
    """

    orientation: np.ndarray
    affine: np.ndarray
    columns: slice
    rows: slice
    slab: int
    index: tuple[int, ...]
    position_mm: tuple[float, ...]
    slabs: int

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height of a panel, mm."""
        spacing = np.linalg.norm(self.affine[:3, :3], axis=0)
        return (
            float((self.columns.stop - self.columns.start) * spacing[0]),
            float((self.rows.stop - self.rows.start) * spacing[1]),
        )

    def pixels(self, millimetre: float) -> tuple[int, int]:
        """Width and height of a panel, with ``millimetre`` pixels to the mm: never distorted."""
        width, height = self.size_mm
        return max(1, round(width * millimetre)), max(1, round(height * millimetre))

    def picture(
        self, array: np.ndarray, index: int, size: tuple[int, int], *, average: bool, within: np.ndarray | None = None
    ) -> np.ndarray:
        """Slice ``index`` of a stored array as float32 ``(height, width)``, resampled to ``size`` (width, height).

        With ``average`` the slab around it is averaged, without it is the slice itself (masks). ``within``, a stored
        mask, keeps what lies outside from the average: 0 there.
        """
        plane = self._slab(array, index, average)
        if within is not None:
            plane = plane * self._slab(within, index, average)
        # x runs to the patient's right, which belongs on screen left; y runs anterior, which belongs on top.
        screen = np.ascontiguousarray(plane.mean(axis=2)[::-1, ::-1].T)
        return np.asarray(Image.fromarray(screen).resize(size, Image.Resampling.BILINEAR))

    def _slab(self, array: np.ndarray, index: int, average: bool) -> np.ndarray:
        ordered = nib.orientations.apply_orientation(array, self.orientation)
        half = self.slab // 2 if average else 0
        low, high = max(0, index - half), min(ordered.shape[2], index - half + (self.slab if average else 1))
        return ordered[self.columns, self.rows, low:high].astype(np.float32)


def choose_view(ncct: Volume, brain: np.ndarray, deficit: np.ndarray | None, count: int) -> AxialView:
    """Choose ``count`` axial slabs through the brain (fewer when it has fewer), most of them where the deficit is."""
    orientation = nib.orientations.io_orientation(ncct.affine)
    affine = ncct.affine @ nib.orientations.inv_ornt_aff(orientation, ncct.shape)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    inside = nib.orientations.apply_orientation(np.asarray(brain, dtype=bool), orientation)
    if not inside.any():
        inside = np.ones(inside.shape, dtype=bool)
    shape = inside.shape

    flat = inside.any(axis=2)
    columns = _crop(flat.any(axis=1), spacing[0], shape[0])
    rows = _crop(flat.any(axis=0), spacing[1], shape[1])

    slab = max(1, round(float(DISPLAY_SLAB_MM / spacing[2])))
    area = inside.sum(axis=(0, 1)).astype(float)
    extent = np.flatnonzero(area)
    centres = np.arange(extent[0] + (slab - 1) // 2, extent[-1] + 1, slab)
    centres = centres if centres.size else extent[:1]
    sick = np.zeros(shape[2])
    if deficit is not None and np.any(deficit):
        sick = nib.orientations.apply_orientation(deficit, orientation).sum(axis=(0, 1)).astype(float)
    chosen = choose_slabs(area[centres], sick[centres], count)
    index = tuple(int(centres[i]) for i in chosen)

    middle = [np.flatnonzero(line).mean() for line in (flat.any(axis=1), flat.any(axis=0))]
    position = tuple(float((affine @ [*middle, k, 1])[2]) for k in index)
    return AxialView(orientation, affine, columns, rows, slab, index, position, len(centres))


def choose_slabs(area: np.ndarray, sick: np.ndarray, count: int) -> list[int]:
    """Indices, ascending, of at most ``count`` slabs of given brain and deficit area.

    They lie at even quantiles of a weight that mixes brain and deficit; the slab with the largest deficit is always
    among them; what quantiles share is replaced by the slab farthest from all chosen ones.
    """
    allowed = np.flatnonzero((area >= MINIMUM_BRAIN_AREA * area.max()) | (sick > 0))
    area, sick = area[allowed], sick[allowed]
    count = min(count, allowed.size)
    weight = np.ones(allowed.size) / allowed.size
    if sick.any():
        weight = (1 - DEFICIT_WEIGHT) * weight + DEFICIT_WEIGHT * sick / sick.sum()
    cumulative = np.cumsum(weight) - weight / 2
    chosen = {int(np.argmin(np.abs(cumulative - (i + 0.5) / count))) for i in range(count)}
    if sick.any():
        worst = int(np.argmax(sick))
        if worst not in chosen:
            chosen.remove(min(chosen, key=lambda i: abs(i - worst)))
            chosen.add(worst)
    while len(chosen) < count:
        others = [i for i in range(allowed.size) if i not in chosen]
        chosen.add(max(others, key=lambda i: min(abs(i - j) for j in chosen)))
    return [int(allowed[i]) for i in sorted(chosen)]


def outline(mask: np.ndarray, width: float = 2.0) -> np.ndarray:
    """Opacity (0 to 1) of a smooth line of ``width`` pixels along the edge of a picture of a mask (0 to 1)."""
    soft = ndimage.gaussian_filter((mask >= 0.5).astype(np.float32), 1.2)
    down, across = np.gradient(soft)
    slope = np.maximum(np.hypot(down, across), 1e-3)
    return np.clip(width / 2 + 0.5 - np.abs(soft - 0.5) / slope, 0, 1) * (slope > 0.02)


def _crop(line: np.ndarray, spacing: float, n: int) -> slice:
    index = np.flatnonzero(line)
    margin = int(np.ceil(HEAD_MARGIN_MM / spacing))
    return slice(max(0, int(index[0]) - margin), min(n, int(index[-1]) + margin + 1))
