"""The curves of arterial input, venous output and tissue over time, as a picture in the report's colours."""

import numpy as np
from PIL import Image

from perfusynth.report.canvas import BACKGROUND, DIM, PANEL, TEXT, Colour

#: The artery's curve, red, and the vein's, blue, as vessels are drawn everywhere.
ARTERY: Colour = (255, 150, 135)
VEIN: Colour = (120, 180, 255)

#: The mean of the brain's tissue.
TISSUE: Colour = (240, 246, 140)

#: Tissue enhances by some 5 HU where vessels do by hundreds: its curve is multiplied by the largest of these factors
#: that keeps it below `TISSUE_SHARE` of the highest curve.
TISSUE_FACTORS = (1, 2, 5, 10, 20, 50)
TISSUE_SHARE = 0.5

#: Width from which the legend has two columns, pixels.
TWO_COLUMNS_WIDTH = 800

#: Pixels to the inch of the picture; fonts are in points of 1/72 inch.
DPI = 100


def draw_curves(
    times_s: np.ndarray,
    aif_hu: np.ndarray,
    aif_scaled_hu: np.ndarray | None,
    vof_hu: np.ndarray | None,
    tissue_hu: np.ndarray | None,
    baseline: slice,
    size: tuple[int, int],
) -> Image.Image:
    """Enhancement above the baseline, HU, over time, s.

    Parameters
    ----------
    times_s
        Times of the frames, ``(frames,)``, as all curves.
    aif_hu, aif_scaled_hu, vof_hu, tissue_hu
        Arterial input as measured and as corrected for partial volume, venous output, mean of the tissue; those that
        are ``None`` are left out.
    baseline
        Frames before the contrast, shaded.
    size
        Width and height, pixels.
    """
    # Imported late: half a second that a report without curves does not cost.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI, facecolor=_hex(BACKGROUND), layout="constrained")
    drawn = FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=_hex(PANEL))
    shaded = times_s[baseline]
    if shaded.size:
        half = float(np.median(np.diff(times_s))) / 2
        axes.axvspan(shaded[0] - half, shaded[-1] + half, color="#ffffff", alpha=0.09, linewidth=0)
        frames = f"{shaded.size} frame" + "s" * (shaded.size != 1)
        axes.text(
            max(shaded[0] - half, times_s[0] - 0.5), 0.985, f" baseline\n {frames}",
            transform=axes.get_xaxis_transform(),
            color=_hex(DIM), fontsize=9.5, va="top", ha="left",
        )  # fmt: skip
    label = f"AIF (artery) as measured: {_peak(times_s, aif_hu)}"
    axes.plot(times_s, aif_hu, color=_hex(ARTERY), lw=2.2, marker="o", ms=3.2, label=label, zorder=3)
    if aif_scaled_hu is not None:
        label = f"AIF corrected for partial volume: {_peak(times_s, aif_scaled_hu)}"
        axes.plot(times_s, aif_scaled_hu, color=_hex(ARTERY), lw=1.6, ls=(0, (4, 2.5)), label=label)
    if vof_hu is not None:
        axes.plot(times_s, vof_hu, color=_hex(VEIN), lw=2.2, label=f"VOF (vein): {_peak(times_s, vof_hu)}")
    if tissue_hu is not None:
        vessels = [curve.max() for curve in (aif_hu, aif_scaled_hu, vof_hu) if curve is not None]
        top, highest = max(float(tissue_hu.max()), 1e-3), float(max(vessels))
        factor = max([f for f in TISSUE_FACTORS if f * top <= TISSUE_SHARE * highest], default=1)
        times = f" (drawn x{factor})" if factor > 1 else ""
        label = f"mean tissue{times}: {_peak(times_s, tissue_hu)}"
        axes.plot(times_s, factor * tissue_hu, color=_hex(TISSUE), lw=1.8, label=label)
    axes.axhline(0, color=_hex(DIM), lw=0.8)
    axes.set_xlim(times_s[0] - 0.5, times_s[-1] + 0.5)
    axes.set_xlabel("seconds since the first frame", color=_hex(TEXT), fontsize=10.5)
    axes.set_ylabel("HU above the baseline", color=_hex(TEXT), fontsize=10.5)
    axes.tick_params(colors=_hex(DIM), labelsize=10)
    axes.grid(color=_hex(DIM), alpha=0.18, lw=0.7)
    for spine in axes.spines.values():
        spine.set_color(_hex(DIM))
        spine.set_alpha(0.4)
    # Above the axes, so that it never hides a late bolus.
    figure.legend(
        loc="outside upper left",
        ncols=2 if size[0] >= TWO_COLUMNS_WIDTH else 1,
        fontsize=9.5,
        labelcolor=_hex(TEXT),
        frameon=False,
    )
    drawn.draw()
    return Image.fromarray(np.asarray(drawn.buffer_rgba())[..., :3].copy())


def _peak(times_s: np.ndarray, curve: np.ndarray) -> str:
    at = int(np.argmax(curve))
    value = float(curve[at])
    return (
        f"peak {value:.0f} HU at {times_s[at]:.1f} s" if value >= 20 else f"peak {value:.1f} HU at {times_s[at]:.1f} s"
    )


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
