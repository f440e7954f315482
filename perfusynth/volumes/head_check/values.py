"""Are the voxels Hounsfield units? Finite, on the right scale, not shifted, and enough of them."""

import numpy as np

from perfusynth.volumes.findings import Finding
from perfusynth.volumes.head_check.header import thickness_finding
from perfusynth.volumes.head_check.limits import HeadCheckLimits
from perfusynth.volumes.volume import Volume

#: Voxels looked at for shares.
_SAMPLE = 400_000


def value_findings(ncct: Volume, limits: HeadCheckLimits) -> list[Finding]:
    """Findings from the voxels' values and the grid, whatever is depicted.

    ``not_finite``; ``hu_scale`` (constant, 0-1, 0-255, MR, Cormack units); ``hu_offset`` (1024 too much or too
    little); ``too_few_slices``; ``too_thick_slices``.
    """
    bad = int(ncct.array.size - np.count_nonzero(np.isfinite(ncct.array)))
    if bad:
        message = "The image holds values that are no numbers; export it again from the source."
        return [Finding("not_finite", "refuse", message, "finite HU in every voxel", f"{bad} voxels NaN or infinite")]
    return [*_size(ncct, limits), *_scale(ncct, limits)]


def _size(ncct: Volume, limits: HeadCheckLimits) -> list[Finding]:
    found = thickness_finding(float(ncct.spacing.max()), limits)
    extent = np.array(ncct.shape) * ncct.spacing
    if min(ncct.shape) < limits.fewest_slices or extent.min() < limits.smallest_extent_mm:
        message = "There are too few slices to cover the brain; give the whole axial series of the head."
        expected = f"at least {limits.fewest_slices} slices over {limits.smallest_extent_mm:g} mm"
        axis = int(np.argmin(extent))
        got = f"{ncct.shape[axis]} slices over {extent[axis]:.0f} mm"
        found.append(Finding("too_few_slices", "refuse", message, expected, got))
    return found


def _scale(ncct: Volume, limits: HeadCheckLimits) -> list[Finding]:
    values = ncct.array.ravel()[:: max(1, ncct.array.size // _SAMPLE)]
    low, high = float(ncct.array.min()), float(ncct.array.max())
    got = f"values {low:.4g} to {high:.4g}, median {np.median(values):.4g}"

    def share(a: float, b: float) -> float:
        return float(np.count_nonzero((values >= a) & (values <= b))) / values.size

    expected = "HU: air -1000, fat -100, brain 20 to 45, bone above 300"
    message = "The values are not Hounsfield units; export the CT with its rescale slope and intercept."
    wrong_scale = [Finding("hu_scale", "refuse", message, expected, got)]
    if high - low < 20:
        return wrong_scale
    below, above = limits.offset_hu
    shifted_up = low > -300 and share(below, above + 80) > limits.tissue_share and high > above + 500
    # Bone then lies from -700 to -100, where an unshifted head has only the skin's edge.
    shifted_down = low < -1500 and share(-700, -150) > max(0.01, share(0, 80))
    if (shifted_up and _peak_in(values, (below, above + 80))) or shifted_down:
        message = "The values are shifted by the rescale intercept (1024); export the CT again with it applied once."
        return [Finding("hu_offset", "refuse", message, expected, got)]
    if share(-5000, -500) >= limits.air_share:
        in_hu = share(0, 80) >= limits.tissue_share or share(-1060, -940) >= limits.air_share
        return [] if in_hu else wrong_scale
    # No air: a stripped brain on a constant background is HU still; the missing skull is told elsewhere.
    background = float(values[0])
    head = values[values != background]
    stripped = (
        head.size > limits.tissue_share * values.size
        and background == low
        and float(np.percentile(head, 2)) > -60
        and 15 < float(np.median(head)) < 60
        and float(np.percentile(head, 98)) < 100
        and high - low > 40
    )
    return [] if stripped else wrong_scale


def _peak_in(values: np.ndarray, window: tuple[float, float]) -> bool:
    """Whether ``window`` holds the most voxels of all windows of its width above it and just below it."""
    low, high = window
    width = high - low
    inside = np.count_nonzero((values >= low) & (values < high))
    beside = [np.count_nonzero((values >= low + k * width) & (values < high + k * width)) for k in (-2, 1, 2)]
    return inside > max(beside)
