"""What each way to deconvolve makes of curves whose truth is known: the tables of docs/perfusion.md.

Curves come from the simulator's kinetics: a typical arterial input, exponential and gamma-distributed transit times.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from perfusynth.evaluation.page_block import put_between_markers
from perfusynth.perfusion.deconvolution.deconvolve import deconvolve
from perfusynth.perfusion.deconvolution.settings import DeconvolutionSettings
from perfusynth.phantom.ctp.kinetics import FINE_STEP_S, FLOW_UNIT, Bolus, bolus_of, convolved, residue
from perfusynth.phantom.ctp.traits import AIF_PEAK_HU, CirculationTraits

#: Ways that are compared.
WAYS = (
    DeconvolutionSettings(method="osvd", oscillation=0.035),
    DeconvolutionSettings(method="osvd", oscillation=0.10),
    DeconvolutionSettings(method="csvd", threshold=0.05),
    DeconvolutionSettings(method="csvd", threshold=0.10),
    DeconvolutionSettings(method="csvd", threshold=0.15),
    DeconvolutionSettings(method="csvd", threshold=0.20),
    DeconvolutionSettings(method="ssvd", threshold=0.20),
)
#: Shape of the transit times' distribution by name.
RESIDUES = {"exponential": 1.0, "gamma, shape 2": 2.0, "gamma, shape 4": 4.0}
#: Transit times of the table, s, and the range from which the others are drawn.
MTT_S, MTT_RANGE_S = (3.0, 4.0, 6.0, 8.0, 12.0), (3.0, 12.0)
#: Range of blood volume, mL/100 g, and how many voxels are drawn from both for the rank correlation.
CBV_RANGE, VOXELS = (1.0, 5.0), 800
#: True delays, s; the flow at the one after the first stands for no delay.
DELAYS_S = (-2.0, 0.0, 0.4, 1.3, 3.0, 5.5, 8.7, 12.0)
#: Frame intervals and lengths of the study, s.
STUDIES = ((1.0, 60.0), (2.0, 60.0), (1.0, 45.0), (2.0, 45.0))
#: Tissues of the table with noise: CBF (mL/100 g/min), CBV (mL/100 g), delay (s).
TISSUES = {
    "grey matter": (55.0, 3.3, 0.5),
    "white matter": (22.0, 1.9, 0.8),
    "penumbra": (18.0, 3.2, 5.5),
    "core": (4.0, 1.4, 8.0),
}
#: SD of a smoothed curve's noise in a frame, HU (6.5 HU at 0.9 mm and 5 mm slices after 2.8 mm in space), and how many
#: curves of each tissue.
NOISE_HU, NOISY_CURVES = 0.8, 2000


@dataclass(frozen=True)
class Behaviour:
    """One way, residue function and study, without noise.

    Parameters
    ----------
    flow_share, tmax_s
        Measured by true CBF, and Tmax without delay, by the transit times `MTT_S`.
    rank
        Rank correlation of measured and true CBF where blood volume and transit time vary independently.
    flow_change, tmax_range_s, volume_range
        Largest change of CBF with delay, range of Tmax minus delay over delays (largest over transit times), and
        smallest and largest measured by true CBV over delays and transit times.
    """

    flow_share: tuple[float, ...]
    tmax_s: tuple[float, ...]
    rank: float
    flow_change: float
    tmax_range_s: float
    volume_range: tuple[float, float]


def _bolus(shape: float, duration_s: float) -> Bolus:
    """A typical arterial input, for tissue of one kind of transit times."""
    traits = CirculationTraits(60.0, 22.0, 1.7, AIF_PEAK_HU[0], 9.0, 8.0, 0.3, 15.0, 3.0, "gamma", shape)
    return bolus_of(traits, duration_s)


def _curves(
    bolus: Bolus, shape: float, mtt_s: np.ndarray, cbv: np.ndarray, delay_s: float, frames_s: np.ndarray
) -> np.ndarray:
    """Curves without noise, HU, ``(n, frames)``."""
    left = residue(bolus.time_s, mtt_s[:, None], shape)
    fine = convolved(bolus.aif[None], left, FINE_STEP_S) * (60 * cbv / mtt_s / FLOW_UNIT)[:, None]
    return np.stack([np.interp(frames_s - delay_s, bolus.time_s, curve, left=0) for curve in fine])


def behaviour(way: DeconvolutionSettings, shape: float, frame_s: float, duration_s: float) -> Behaviour:
    """Measure one way."""
    bolus, frames = _bolus(shape, duration_s), np.arange(0, duration_s, frame_s)

    def maps(mtt: np.ndarray, cbv: np.ndarray, delay_s: float) -> dict[str, np.ndarray]:
        return deconvolve(_curves(bolus, shape, mtt, cbv, delay_s, frames), bolus.aif_at(frames), frame_s, way)

    mtt, cbv = np.array(MTT_S), np.full(len(MTT_S), 3.0)
    true = 60 * cbv / mtt
    late = {delay: maps(mtt, cbv, delay) for delay in DELAYS_S}
    offsets = np.stack([found["tmax"] - delay for delay, found in late.items()])
    volumes = np.stack([found["cbv"] / cbv for found in late.values()])
    rng = np.random.default_rng(0)
    drawn_mtt, drawn_cbv = rng.uniform(*MTT_RANGE_S, VOXELS), rng.uniform(*CBV_RANGE, VOXELS)
    flow = maps(drawn_mtt, drawn_cbv, 0.0)["cbf"]
    return Behaviour(
        tuple(late[0.0]["cbf"] / true),
        tuple(late[0.0]["tmax"]),
        float(spearmanr(flow, drawn_cbv / drawn_mtt).statistic),
        max(float(np.abs(found["cbf"] / late[0.0]["cbf"] - 1).max()) for found in late.values()),
        float(np.ptp(offsets, axis=0).max()),
        (float(volumes.min()), float(volumes.max())),
    )


def _name(way: DeconvolutionSettings) -> str:
    return f"{way.method} {way.oscillation if way.method == 'osvd' else way.threshold:g}"


def bias_table() -> str:
    """Measured by true CBF by way, residue function and transit time (1 s frames over 60 s)."""
    head = " | ".join(f"{mtt:g} s" for mtt in MTT_S)
    lines = [
        f"| method | transit times | {head} | Tmax at delay 0, s | rank correlation |",
        "|---|---|" + "---|" * (len(MTT_S) + 2),
    ]
    for way in WAYS:
        for name, shape in RESIDUES.items():
            found = behaviour(way, shape, *STUDIES[0])
            shares = " | ".join(f"{share:.2f}" for share in found.flow_share)
            tmax = f"{min(found.tmax_s):.1f}–{max(found.tmax_s):.1f}"
            lines.append(f"| {_name(way)} | {name} | {shares} | {tmax} | {found.rank:.3f} |")
    return "\n".join(lines) + "\n"


def delay_table() -> str:
    """What delays from -2 to 12 s change, by way and study: the worst of the three residue functions."""
    lines = [
        "| method | study | CBF changes by | Tmax minus delay varies by | CBV, measured by true | rank correlation |",
        "|---|---|---|---|---|---|",
    ]
    for way in WAYS:
        for frame_s, duration_s in STUDIES:
            found = [behaviour(way, shape, frame_s, duration_s) for shape in RESIDUES.values()]
            low, high = min(f.volume_range[0] for f in found), max(f.volume_range[1] for f in found)
            flow, tmax = max(f.flow_change for f in found), max(f.tmax_range_s for f in found)
            lines.append(
                f"| {_name(way)} | {duration_s:g} s, every {frame_s:g} s | {100 * flow:.1f} % | {tmax:.2f} s "
                f"| {low:.2f}–{high:.2f} | {min(f.rank for f in found):.3f} |"
            )
    return "\n".join(lines) + "\n"


def noise_table() -> str:
    """CBF and Tmax of typical tissues at clinical noise, by way: mean and SD of many voxels."""
    lines = [
        "| method | " + " | ".join(f"{name}: CBF, Tmax" for name in TISSUES) + " |",
        "|---|" + "---|" * len(TISSUES),
        "| true CBF, delay | " + " | ".join(f"{cbf:g}, {delay:g} s" for cbf, _, delay in TISSUES.values()) + " |",
    ]
    shape, (frame_s, duration_s) = RESIDUES["gamma, shape 2"], STUDIES[0]
    bolus, frames = _bolus(shape, duration_s), np.arange(0, duration_s, frame_s)
    for way in WAYS:
        cells, rng = [], np.random.default_rng(0)
        for cbf, cbv, delay in TISSUES.values():
            curve = _curves(bolus, shape, np.array([60 * cbv / cbf]), np.array([cbv]), delay, frames)
            noisy = curve + NOISE_HU * rng.standard_normal((NOISY_CURVES, len(frames)))
            found = deconvolve(noisy, bolus.aif_at(frames), frame_s, way)
            told = (f"{found[name].mean():.1f} ± {found[name].std():.1f}" for name in ("cbf", "tmax"))
            cells.append(", ".join(told) + " s")
        lines.append(f"| {_name(way)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Renew the tables in a page."""
    parser = argparse.ArgumentParser(prog="python -m perfusynth.evaluation.deconvolution_bias", description=__doc__)
    parser.add_argument("--docs", type=Path, required=True, help="folder with perfusion.md")
    page = parser.parse_args(arguments).docs / "perfusion.md"
    put_between_markers(page, "bias", bias_table())
    put_between_markers(page, "delay", delay_table())
    put_between_markers(page, "noise", noise_table())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
