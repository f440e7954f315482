"""Maps out of a CT perfusion study: every voxel deconvolved, against the literal algebra, and the whole by stage."""

import dataclasses
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import psutil
import torch
from threadpoolctl import threadpool_limits

from perfusynth.ctp_maps.series_maps import maps_of_series
from perfusynth.perfusion.deconvolution.deconvolve import deconvolve
from perfusynth.perfusion.deconvolution.inverse import continuation
from perfusynth.perfusion.deconvolution.oscillation import LADDER
from perfusynth.perfusion.deconvolution.settings import DeconvolutionSettings, Method
from perfusynth.phantom.ctp.frames import render_series
from perfusynth.phantom.ctp.kinetics import Bolus, bolus_of, tissue_curves
from perfusynth.phantom.ctp.protocols import PROTOCOLS
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.volumes.series import Series
from tests.benchmarks.figure import Figure
from tests.benchmarks.plan import FULL, Plan
from tests.benchmarks.timing import medians

ROW = "maps out of a perfusion study"
FRAMES, INTERVAL_S, NOISE_HU = 45, 1.0, 1.0
#: Every voxel of 256x256x16, the brain's share of them, and how many the literal algebra is tried on.
VOXELS, BRAIN_SHARE, LITERAL_VOXELS = 256 * 256 * 16, 0.25, 500
QUICK_VOXELS, QUICK_LITERAL_VOXELS = 2**16, 50
#: The patient whose study is measured on; any would do.
SEED = 4


def measure(plan: Plan) -> list[Figure]:
    """Both methods on the CPU (and a GPU where there is one), memory, and a phantom's study from frames to maps."""
    full = plan is FULL
    voxels = VOXELS if full else QUICK_VOXELS
    literal = LITERAL_VOXELS if full else QUICK_LITERAL_VOXELS
    return [*_deconvolutions(voxels, literal, plan.repeats), _memory(voxels), *_on_gpu(voxels, plan), *_stages(full)]


def _deconvolutions(voxels: int, literal: int, repeats: int) -> list[Figure]:
    curves, aif = _curves(voxels)
    few = curves[:literal]
    figures = []
    for method, naive in (("osvd", _literal_osvd), ("csvd", _literal_csvd)):
        settings = _settings(method)
        taken = medians(
            {
                "all": lambda s=settings: deconvolve(curves, aif, INTERVAL_S, s),
                "brain": lambda s=settings: deconvolve(curves[: int(BRAIN_SHARE * voxels)], aif, INTERVAL_S, s),
                "literal": threadpool_limits.wrap(1)(lambda n=naive: n(few, aif)),  # as fast as it gets: no threads
            },
            repeats,
        )
        slow = taken["literal"] * voxels / literal
        against = f"the algebra voxel by voxel, scaled from {literal}"
        note = f"{FRAMES} frames"
        figures += [
            Figure(ROW, f"{method}, {voxels} voxels", taken["all"], "s", repeats, against, slow, note),
            Figure(ROW, f"{method}, the brain's quarter of them", taken["brain"], "s", repeats),
        ]
    return figures


def _memory(voxels: int) -> Figure:
    """Most that a process of its own held after a chunk, less what it held before: maps count, curves do not."""
    curves, aif = _curves(voxels)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "curves.npy", Path(folder) / "aif.npy"]
        for path, array in zip(paths, (curves, aif), strict=True):
            np.save(path, array)
        command = [sys.executable, "-m", "tests.benchmarks.deconvolution", *map(str, paths)]
        ended = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    note = f"the curves themselves hold {curves.nbytes / 1e6:.0f} MB"
    return Figure(ROW, "osvd, memory beside the curves", float(ended.stdout), "MB", 1, note=note)


def _held_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def _on_gpu(voxels: int, plan: Plan) -> list[Figure]:
    if not torch.cuda.is_available():
        return [Figure(ROW, "osvd on a GPU", None, "s", 0, note="no GPU here")]
    curves, aif = _curves(voxels)
    calls = {device: (lambda d=device: deconvolve(curves, aif, INTERVAL_S, device=d)) for device in ("cuda", "cpu")}
    calls["cuda"]()
    taken = medians(calls, plan.repeats)
    name = torch.cuda.get_device_name()
    return [Figure(ROW, "osvd on a GPU", taken["cuda"], "s", plan.repeats, "the CPU", taken["cpu"], name)]


def _stages(full: bool) -> list[Figure]:
    """A digital patient's study that moves: the protocol of 80 mm in 16 slices, or a quarter of its pixels."""
    protocol = dataclasses.replace(PROTOCOLS["standard_80mm"], slice_mm=5.0)
    if not full:
        protocol = dataclasses.replace(protocol, matrix=128, pixel_mm=1.8, slice_mm=10.0)
    made = render_series(scene_of(draw_patient(SEED)), protocol, 1)
    series = Series(made.hu, made.affine, made.times_s)
    found = maps_of_series(series)
    shape = "x".join(map(str, made.hu.shape))
    note = f"{shape}, {np.count_nonzero(found.tissue.tissue)} voxels of tissue"
    return [
        Figure(ROW, "a study's frames to maps", sum(found.timings_s.values()), "s", 1, note=note),
        *(Figure(ROW, f"of it: {name}", taken, "s", 1) for name, taken in found.timings_s.items()),
    ]


def _settings(method: Method) -> DeconvolutionSettings:
    return DeconvolutionSettings(method=method)


@lru_cache(maxsize=1)
def _curves(voxels: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy curves of tissue of all kinds, HU float32 ``(voxels, frames)``, and the arterial input."""
    frames = INTERVAL_S * np.arange(FRAMES)
    bolus: Bolus = bolus_of(draw_patient(SEED).circulation, float(frames[-1] + INTERVAL_S))
    rng = np.random.default_rng(0)
    kinds = 5000
    cbf, mtt = rng.uniform(5, 70, kinds), rng.uniform(3, 12, kinds)
    delay = rng.gamma(1.0, 2.0, kinds).clip(0, 12)
    clean = tissue_curves(bolus, frames)(cbf, mtt, np.zeros(kinds), delay)
    curves = clean[rng.integers(0, kinds, voxels)].astype(np.float32)
    curves += NOISE_HU * rng.standard_normal(curves.shape, dtype=np.float32)
    return curves, bolus.aif_at(frames)


def _circulant(aif: np.ndarray) -> np.ndarray:
    longer = continuation(len(aif), INTERVAL_S) @ aif
    return INTERVAL_S * np.array([np.roll(longer, k) for k in range(len(longer))]).T


def _literal_csvd(curves: np.ndarray, aif: np.ndarray) -> np.ndarray:
    """Largest value of each residue function, one voxel after the other; the SVD is made once for all."""
    left, size, right = np.linalg.svd(_circulant(aif))
    inverse = np.where(size > DeconvolutionSettings().threshold * size[0], 1 / size, 0)
    longer = continuation(len(aif), INTERVAL_S)
    return np.array([(right.T @ (inverse * (left.T @ (longer @ curve)))).max() for curve in curves])


def _literal_osvd(curves: np.ndarray, aif: np.ndarray) -> np.ndarray:
    """The same, where each voxel raises its threshold until its residue function is quiet."""
    settings = DeconvolutionSettings()
    left, size, right = np.linalg.svd(_circulant(aif))
    longer = continuation(len(aif), INTERVAL_S)
    shares = (settings.least_threshold, *LADDER)
    heights = []
    for curve in curves:
        coefficients = left.T @ (longer @ curve) / size
        for share in shares:
            residue = right.T @ np.where(size > share * size[0], coefficients, 0)
            bend = np.abs(np.diff(residue, n=2)).sum() / (len(residue) * residue.max())
            if bend < settings.oscillation:
                break
        heights.append(residue.max())
    return np.array(heights)


if __name__ == "__main__":
    given = [np.load(path) for path in sys.argv[1:]]
    deconvolve(given[0][:1000], given[1], INTERVAL_S)  # what torch loads once
    held = [_held_mb()]
    maps = deconvolve(given[0], given[1], INTERVAL_S, on_progress=lambda stage, fraction: held.append(_held_mb()))
    # A few voxels may find room in what the process already held: the maps themselves are the least it takes.
    print(max(max(held) - held[0], sum(values.nbytes for values in maps.values()) / 1e6))
