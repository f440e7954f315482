"""How maps were deconvolved, in words: rows of the report's table, and where a vessel lies."""

import numpy as np

from perfusynth.perfusion.deconvolution_block import Deconvolution, InputCurve, MotionCorrected
from perfusynth.perfusion.measurements import Measurements
from perfusynth.volumes.brain import Midplane

METHODS = {
    "csvd": "block-circulant SVD (csvd)",
    "osvd": "block-circulant SVD, oscillation-limited (osvd)",
    "ssvd": "standard SVD (ssvd), whose CBF falls with delay",
}

SELECTIONS = {"automatic": "automatically", "manual": "by hand"}

#: So near to the midline a side is not named, mm.
MIDLINE_MM = 3.0


def place(position_mm: np.ndarray, measurements: Measurements) -> str:
    """A position in RAS mm, with its side where the midplane is known."""
    x, y, z = position_mm
    text = f"RAS {x:+.1f}, {y:+.1f}, {z:+.1f} mm"
    if measurements.midplane is None:
        return text
    plane = Midplane(np.array(measurements.midplane.point), np.array(measurements.midplane.normal))
    distance = float(plane.signed_distance(position_mm))
    if abs(distance) < MIDLINE_MM:
        return f"{text}, at the midline"
    return f"{text}, {abs(distance):.0f} mm to the patient's {'right' if distance > 0 else 'left'} of the midline"


def curve_rows(measurements: Measurements) -> list[tuple[str, str, str, str, str]]:
    """Each input's name, choice, peak, and its voxels with their places: rows of the page's table."""
    block = measurements.deconvolution
    curves = [] if block is None else [("Arterial input (AIF)", block.aif), ("Venous output (VOF)", block.vof)]
    return [
        (
            name,
            SELECTIONS[curve.selection],
            _peak(curve),
            "; ".join(str(voxel) for voxel in curve.voxels),
            "; ".join("({:+.1f}, {:+.1f}, {:+.1f})".format(*position) for position in curve.positions_ras_mm),
        )
        for name, curve in curves
        if curve is not None
    ]


def method_in_short(block: Deconvolution) -> str:
    """The method and where it truncates."""
    limit = ("oscillation index", block.oscillation) if block.method == "osvd" else ("threshold", block.threshold)
    method = METHODS[block.method] if block.method else "deconvolved, method not known"
    return method if limit[1] is None else f"{method}, {limit[0]} {limit[1]:g}"


def provenance_rows(block: Deconvolution) -> list[tuple[str, str]]:
    """Method, series, inputs and motion; what is not known is left out."""
    method = [
        method_in_short(block),
        "" if block.haematocrit_factor is None else f"haematocrit factor {block.haematocrit_factor:g}",
        "" if block.density_g_per_ml is None else f"density {block.density_g_per_ml:g} g/mL",
        "" if block.smoothing_mm is None else "curves smoothed by {:g} mm in plane, {:g} mm across".format(
            *block.smoothing_mm
        ),
        "" if block.partial_volume_factor is None else f"arterial input times {block.partial_volume_factor:.2f} "
        "for partial volume",
    ]  # fmt: skip
    series = [
        "" if block.frames is None else f"{block.frames} frames",
        "" if block.frame_interval_s is None else f"{block.frame_interval_s:g} s apart",
        "" if block.baseline_frames is None else f"{block.baseline_frames} before the contrast",
    ]
    rows = [("Deconvolution", "; ".join(filter(None, method))), ("Series", ", ".join(filter(None, series)))]
    if block.motion is not None:
        rows.append(("Motion", motion(block.motion)))
    return [(name, text) for name, text in rows if text]


def motion(moved: MotionCorrected) -> str:
    """What the head did, and what was done about it."""
    text = f"up to {moved.largest_mm:.1f} mm and {moved.largest_deg:.1f} degrees"
    text += f", {moved.corrected_frames} frames moved back"
    if moved.interpolated_frames:
        numbers = ", ".join(str(frame + 1) for frame in moved.interpolated_frames)
        text += f"; beyond mending and made from the neighbours: frame {numbers}"
    return text


def _peak(curve: InputCurve) -> str:
    height = "" if curve.peak_hu is None else f"{curve.peak_hu:.0f} HU"
    return height + ("" if curve.peak_s is None else f" at {curve.peak_s:.1f} s")
