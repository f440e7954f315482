"""The skull of an NCCT or CTP and what it encloses, slice by slice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import SimpleITK as sitk

#: Gaps in the bone (sutures, foramina) up to this width are closed, mm. [d]
GAP_MM = 6.0


def enclosed(bone: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """What bone (bool) encloses in each slice, gaps closed; open slices of the skull base have none."""
    radius = _in_plane(spacing, GAP_MM / 2)

    def inside(image: sitk.Image) -> sitk.Image:
        padded = sitk.ConstantPad(image, radius, radius, 0)
        closed = sitk.BinaryMorphologicalClosing(padded, radius, sitk.sitkBall, 1.0)
        hole = sitk.And(sitk.BinaryFillhole(closed), sitk.BinaryNot(closed))
        opened = sitk.BinaryMorphologicalOpening(hole, radius, sitk.sitkBall)
        return sitk.Crop(opened, radius, radius)

    return by_slices(bone, spacing, inside)


def grown(mask: np.ndarray, spacing: tuple[float, float, float], by_mm: float) -> np.ndarray:
    """A mask (bool) and what lies within so many mm of it in its slices."""
    radius = _in_plane(spacing, by_mm)
    return by_slices(mask, spacing, lambda image: sitk.BinaryDilate(image, radius, sitk.sitkBall))


def by_slices(
    array: np.ndarray, spacing: tuple[float, float, float], work: Callable[[sitk.Image], sitk.Image]
) -> np.ndarray:
    """``work`` on each slice (2-D, with its spacing), across the thickest axis: slices of 5 mm are no neighbours."""
    slices, plane = _axes(spacing)
    given = array.astype(np.uint8) if array.dtype == bool else array
    found = np.zeros(array.shape, bool, order="F")
    for index in range(array.shape[slices]):
        image = sitk.GetImageFromArray(np.ascontiguousarray(np.take(given, index, slices).T))
        image.SetSpacing([float(spacing[axis]) for axis in plane])
        target: list[slice | int] = [slice(None)] * 3
        target[slices] = index
        found[tuple(target)] = sitk.GetArrayFromImage(work(image)).T > 0
    return found


def _axes(spacing: tuple[float, float, float]) -> tuple[int, list[int]]:
    slices = 2 if max(spacing) - spacing[2] < 1e-3 else int(np.argmax(spacing))
    return slices, [axis for axis in range(3) if axis != slices]


def _in_plane(spacing: tuple[float, float, float], reach_mm: float) -> list[int]:
    _, plane = _axes(spacing)
    return [max(1, round(reach_mm / spacing[axis])) for axis in plane]
