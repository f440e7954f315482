"""Where the arterial input or the venous output was read: the head's slice with a ring, and a close-up."""

from dataclasses import dataclass, replace

import nibabel as nib
import numpy as np
from PIL import Image

from perfusynth.report.canvas import DIM, TEXT, Canvas, Colour
from perfusynth.report.slices import AxialView, choose_view
from perfusynth.volumes.volume import Volume

#: Window of the temporal maximum, HU: tissue dark, vessels bright (a CT angiography's contrast, less bone).
PEAK_WINDOW_HU = (0.0, 350.0)

#: Width of the close-up, mm: a sinus or an M1 with what lies around it.
CLOSE_UP_MM = 48.0

#: The ring on the whole slice: this much outside the voxels, mm.
RING_MARGIN_MM = 8.0

#: Radius of a voxel's own ring, in voxels, and its smallest in pixels.
VOXEL_RING, VOXEL_RING_PIXELS = 0.8, 5.0

#: Thickness of rings, pixels.
RING_PIXELS = 2.0


@dataclass(frozen=True, eq=False)
class VesselCrops:
    """Both pictures side by side, and how many of the voxels lie on the slice shown, at ``position_mm`` (z, RAS)."""

    picture: Image.Image
    shown: int
    position_mm: float


def draw_vessel_crops(
    peak_image: Volume, brain: np.ndarray, voxels: np.ndarray, colour: Colour, panel_width: int, gap: int
) -> VesselCrops:
    """The axial slice with the most of the voxels: whole, and close.

    Parameters
    ----------
    peak_image
        Temporal maximum of the series, HU; any axis order.
    brain
        bool array on its grid; the whole slice is cropped to the head around it.
    voxels
        Indices in the stored order, ``(n, 3)``, n > 0.
    colour
        Of the rings.
    panel_width, gap
        Pixels.
    """
    whole = choose_view(peak_image, brain, None, 1)
    to_ordered = np.linalg.inv(whole.affine) @ peak_image.affine
    places = np.rint(nib.affines.apply_affine(to_ordered, voxels)).astype(int)
    slices, counts = np.unique(places[:, 2], return_counts=True)
    index = int(slices[np.argmax(counts)])
    here = places[places[:, 2] == index]
    middle = here.mean(axis=0)
    position = float(nib.affines.apply_affine(whole.affine, middle)[2])

    width_mm, height_mm = whole.size_mm
    size = whole.pixels(panel_width / width_mm)
    close = _close_up(whole, middle, (CLOSE_UP_MM, CLOSE_UP_MM * height_mm / width_mm), peak_image, size)
    spacing = np.linalg.norm(whole.affine[:3, :3], axis=0)
    around = np.linalg.norm((here - middle)[:, :2] * spacing[:2], axis=1).max() + RING_MARGIN_MM
    panels = [
        _panel(peak_image, whole, index, size, middle[None], float(around), colour),
        _panel(peak_image, close, index, size, here, VOXEL_RING * float(spacing[:2].max()), colour),
    ]
    canvas = Canvas(2 * size[0] + gap, size[1])
    for x, picture in zip((0, size[0] + gap), panels, strict=True):
        canvas.paste(picture, (x, 0))
        canvas.text((x + 6, 5), "R", 18, TEXT, bold=True, anchor="la", halo=True)
        canvas.text((x + size[0] - 6, 5), "L", 18, TEXT, bold=True, anchor="ra", halo=True)
    canvas.text((5, size[1] - 4), f"z {position:+.1f} mm", 13, DIM, anchor="ld", halo=True)
    canvas.text(
        (size[0] + gap + 5, size[1] - 4), f"close-up, {close.size_mm[0]:.0f} mm wide", 13, DIM, anchor="ld", halo=True
    )
    return VesselCrops(canvas.image, len(here), position)


def _close_up(
    whole: AxialView, middle: np.ndarray, size_mm: tuple[float, float], volume: Volume, size: tuple[int, int]
) -> AxialView:
    """The view around ``middle``; moved inwards at the volume's edge, with the panel's proportions."""
    orientation = nib.orientations.io_orientation(volume.affine)
    shape = [volume.shape[int(axis)] for axis in np.argsort(orientation[:, 0])]
    spacing = np.linalg.norm(whole.affine[:3, :3], axis=0)
    spans = []
    for axis in (0, 1):
        count = min(shape[axis], max(2, round(size_mm[axis] / spacing[axis])))
        start = int(np.clip(round(middle[axis] - count / 2), 0, shape[axis] - count))
        spans.append(slice(start, start + count))
    return replace(whole, columns=spans[0], rows=spans[1], slab=1)


def _panel(
    volume: Volume,
    view: AxialView,
    index: int,
    size: tuple[int, int],
    centres: np.ndarray,
    radius_mm: float,
    colour: Colour,
) -> Image.Image:
    """One slice with a ring around each of ``centres`` (indices of the reordered grid)."""
    low, high = PEAK_WINDOW_HU
    # The slice itself: a mean over a slab would dim the vessels.
    grey = np.clip((view.picture(volume.array, index, size, average=False) - low) / (high - low), 0, 1) * 255
    rgb = np.repeat(grey[..., None], 3, axis=2)
    width_mm, _ = view.size_mm
    millimetre = size[0] / width_mm
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    radius = max(VOXEL_RING_PIXELS, radius_mm * millimetre)
    for i, j, _ in centres:
        across = (view.columns.stop - 0.5 - i) * size[0] / (view.columns.stop - view.columns.start)
        down = (view.rows.stop - 0.5 - j) * size[1] / (view.rows.stop - view.rows.start)
        away = np.abs(np.hypot(x - across, y - down) - radius)
        # A dark rim keeps the ring readable on bright vessels.
        for half, ink in ((RING_PIXELS / 2 + 1.5, (0, 0, 0)), (RING_PIXELS / 2, colour)):
            alpha = np.clip(half + 0.5 - away, 0, 1)[..., None]
            rgb = rgb * (1 - alpha) + np.array(ink) * alpha
    return Image.fromarray(np.round(rgb).astype(np.uint8))
