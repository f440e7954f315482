"""Digital patients: one for training in memory, its parts, one as files; curves and maps against the naive way."""

import tempfile
from itertools import count
from pathlib import Path

import numpy as np

from perfusynth.perfusion.deconvolution.deconvolve import deconvolve
from perfusynth.phantom.case import write_case
from perfusynth.phantom.ct.ncct import render_ncct
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.ctp.kinetics import bolus_of, tissue_curves
from perfusynth.phantom.ctp.maps import measured_maps
from perfusynth.phantom.ctp.protocols import PROTOCOLS
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.render import model_grid, render_on_model_grid, whole_head
from perfusynth.phantom.scene import scene_of
from tests.benchmarks.figure import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.timing import medians

ROW = "digital patients"
#: Voxels of the comparison with the naive way: one by one it takes minutes for a head.
VOXELS = 2000


def measure(plan: Plan) -> list[Figure]:
    """One patient after another, so that no cache helps."""
    render_on_model_grid(0)  # atlas and tables are built once a process
    seeds = count(9_000_000)
    scanner, protocol = SCANNERS["standard_5mm"], whole_head(PROTOCOLS["wide_160mm"])
    figures = [Figure(ROW, "for training, in memory", _seconds(lambda: render_on_model_grid(next(seeds)), plan), "s",
                      plan.repeats, note="NCCT, CTP in memory, measured maps, on the model grid")]  # fmt: skip
    patient = draw_patient(next(seeds))
    grid = model_grid(patient)
    parts = {
        "of it: fields": lambda: scene_of(draw_patient(next(seeds))),
        "of it: NCCT": lambda: render_ncct(scene_of(patient), grid, scanner, 1),
        "of it: perfusion study and maps": lambda: measured_maps(scene_of(patient), grid, protocol, 1),
    }
    scene_of(patient)
    figures += [Figure(ROW, what, _seconds(call, plan), "s", plan.repeats) for what, call in parts.items()]
    with tempfile.TemporaryDirectory() as folder:
        seed = next(seeds)
        taken = _seconds(lambda: write_case(Path(folder) / str(next(seeds)), seed, scanner), plan, 1)
        figures.append(Figure(ROW, "as files, all but CTP and thin pair", taken, "s", 1))
    return [*figures, _against_naive(plan)]


def _seconds(call, plan: Plan, repeats: int | None = None) -> float:
    return medians({"it": call}, repeats or plan.repeats)["it"]


def _against_naive(plan: Plan) -> Figure:
    """Curves from a table and maps by one matrix, against a convolution and a solved system for each voxel."""
    bolus = bolus_of(draw_patient(1).circulation, 60.0)
    frames = np.arange(0, 60.0, 1.5)
    aif = bolus.aif_at(frames)
    rng = np.random.default_rng(0)
    cbf, mtt = rng.uniform(5, 70, VOXELS), rng.uniform(3, 12, VOXELS)
    delay, dispersion = rng.uniform(0, 8, VOXELS), np.zeros(VOXELS)
    fine = np.arange(0, 60.0, 0.1)
    fine_aif = bolus.aif_at(fine)
    padded = 2 * len(aif)
    circulant = np.array([np.roll(np.pad(aif, (0, len(aif))), k) for k in range(padded)]).T * 1.5

    def ours() -> None:
        deconvolve(tissue_curves(bolus, frames)(cbf, mtt, dispersion, delay), aif, 1.5)

    def naive() -> None:
        u, s, vt = np.linalg.svd(circulant)
        inverse = np.where(s > 0.1 * s[0], 1 / s, 0)
        for k in range(VOXELS):
            residue = np.exp(-np.maximum(fine - delay[k], 0) / mtt[k]) * (fine >= delay[k])
            curve = np.convolve(fine_aif, residue)[: len(fine)][::15] * 0.1 * cbf[k]
            found = vt.T @ (inverse * (u.T @ np.pad(curve, (0, len(curve)))))
            found.argmax()

    taken = medians({"ours": ours, "naive": naive}, plan.repeats)
    what = f"curves and maps of {VOXELS} voxels"
    return Figure(ROW, what, 1000 * taken["ours"], "ms", plan.repeats, "voxel by voxel", 1000 * taken["naive"])
