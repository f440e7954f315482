"""The panel "Arterial input and venous output": where both were read, and their curves."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from PIL import Image

from perfusynth.perfusion.measurements import Measurements
from perfusynth.report.canvas import DIM, TEXT, Canvas, wrap
from perfusynth.report.curves_plot import ARTERY, VEIN, draw_curves
from perfusynth.report.deconvolution_facts import SELECTIONS, place
from perfusynth.report.vessel_crops import draw_vessel_crops
from perfusynth.volumes.volume import Volume

#: Layout, pixels: as in the mosaic, so that heads have one size on the page.
PANEL_WIDTH = 232
GAP = 6
BETWEEN = 22
MARGIN = 16
HEADING = 60
CAPTION_LINE = 19
CAPTION_LINES = 4

#: Least width and the height of a plot that has a row of its own.
PLOT_WIDTH = 560
PLOT_HEIGHT = 340


@dataclass(frozen=True, eq=False)
class InputFunctions:
    """What the arterial input and the venous output were, for the report.

    Parameters
    ----------
    times_s
        Times of the frames, s, ``(frames,)``, as all curves.
    aif_hu, aif_scaled_hu
        Arterial input above its baseline, HU: as measured, and corrected for partial volume (``None``: not corrected).
    vof_hu, tissue_hu
        Venous output and mean of the tissue, HU above the baseline; ``None`` where there is none.
    aif_voxels, vof_voxels
        Indices in the stored order of ``peak_image``, ``(n, 3)``; ``vof_voxels`` may be empty.
    baseline
        Frames before the contrast.
    peak_image
        Temporal maximum of the series, HU, on the maps' grid.
    """

    times_s: np.ndarray
    aif_hu: np.ndarray
    aif_scaled_hu: np.ndarray | None
    vof_hu: np.ndarray | None
    tissue_hu: np.ndarray | None
    aif_voxels: np.ndarray
    vof_voxels: np.ndarray
    baseline: slice
    peak_image: Volume

    def __post_init__(self) -> None:
        frames = np.shape(self.times_s)
        for name in ("aif_hu", "aif_scaled_hu", "vof_hu", "tissue_hu"):
            curve = getattr(self, name)
            if curve is not None and np.shape(curve) != frames:
                raise ValueError(f"expected {name} of shape {frames}, got {np.shape(curve)}")
        for name in ("aif_voxels", "vof_voxels"):
            voxels = np.asarray(getattr(self, name), dtype=int).reshape(-1, 3)
            if ((voxels < 0) | (voxels >= self.peak_image.shape)).any():
                raise ValueError(f"expected {name} inside the grid {self.peak_image.shape}, got {voxels.tolist()}")
            object.__setattr__(self, name, voxels)
        if not len(self.aif_voxels):
            raise ValueError("expected at least one arterial voxel")

    def positions_mm(self, voxels: np.ndarray) -> np.ndarray:
        """RAS mm of voxels, ``(n, 3)``."""
        return nib.affines.apply_affine(self.peak_image.affine, voxels)


def draw_input_functions(
    functions: InputFunctions, brain: np.ndarray, measurements: Measurements, width: int
) -> Image.Image:
    """The panel, ``width`` pixels wide; the plot stands beside the pictures, or below where there is no room.

    Parameters
    ----------
    brain
        bool array on the grid of the peak image.
    measurements
        Its block ``deconvolution`` says how the voxels were chosen, its midplane on which side they lie.
    """
    block = measurements.deconvolution
    vessels = [("Arterial input (AIF)", functions.aif_voxels, ARTERY, block.aif if block else None)]
    if len(functions.vof_voxels):
        vessels.append(("Venous output (VOF)", functions.vof_voxels, VEIN, block.vof if block else None))
    crops = [
        draw_vessel_crops(functions.peak_image, brain, voxels, colour, PANEL_WIDTH, GAP)
        for _, voxels, colour, _ in vessels
    ]
    pictures_height = max(crop.picture.height for crop in crops) + 10 + CAPTION_LINES * CAPTION_LINE
    pictures_width = sum(crop.picture.width + BETWEEN for crop in crops)
    beside = width - 2 * MARGIN - pictures_width
    plot_size = (beside, pictures_height) if beside >= PLOT_WIDTH else (width - 2 * MARGIN, PLOT_HEIGHT)
    plot_at = (MARGIN + pictures_width, HEADING)
    height = HEADING + pictures_height + GAP
    if beside < PLOT_WIDTH:
        plot_at = (MARGIN, height + GAP)
        height += PLOT_HEIGHT + 2 * GAP

    canvas = Canvas(width, height)
    canvas.text((MARGIN, 4), "Arterial input and venous output", 20, bold=True)
    canvas.text(
        (MARGIN, 32),
        "Rings: the voxels whose curves were used, on the brightest moment of each voxel. "
        "The patient's LEFT is on the RIGHT.",
        15,
        DIM,
    )
    x = MARGIN
    for (label, voxels, colour, curve), crop in zip(vessels, crops, strict=True):
        canvas.paste(crop.picture, (x, HEADING))
        count = "1 voxel" if len(voxels) == 1 else f"{len(voxels)} voxels"
        other = "" if crop.shown == len(voxels) else f" ({crop.shown} on this slice)"
        chosen = f", chosen {SELECTIONS[curve.selection]}" if curve else ""
        centre = functions.positions_mm(voxels).mean(axis=0)
        text = f"{count}{other}{chosen}. Centre at {place(centre, measurements)}."
        y = HEADING + crop.picture.height + 8
        canvas.text((x, y), label, 16, colour, bold=True)
        for i, line in enumerate(wrap(text, 14, crop.picture.width)[: CAPTION_LINES - 1]):
            canvas.text((x, y + (i + 1) * CAPTION_LINE), line, 14, TEXT)
        x += crop.picture.width + BETWEEN
    plot = draw_curves(
        functions.times_s,
        functions.aif_hu,
        functions.aif_scaled_hu,
        functions.vof_hu,
        functions.tissue_hu,
        functions.baseline,
        plot_size,
    )
    canvas.paste(plot, plot_at)
    return canvas.image
