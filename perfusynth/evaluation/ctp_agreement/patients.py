"""One digital patient's series through `perfusynth maps`, with and without motion correction, as a row of figures."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth import atomic
from perfusynth.ctp_maps.series_maps import SeriesMaps, maps_of_series
from perfusynth.ctp_maps.settings import MapSettings
from perfusynth.errors import InputError
from perfusynth.evaluation.ctp_agreement.figures import input_figures, region_figures, true_figures
from perfusynth.evaluation.ctp_agreement.truth import Truth, truth_of
from perfusynth.evaluation.patient_rows import rows_of_patients
from perfusynth.phantom.ctp.frames import PerfusionSeries, render_series
from perfusynth.phantom.ctp.protocols import PROTOCOLS, Protocol
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.volumes.series import Series

#: The two ways a series is taken.
WAYS: dict[str, MapSettings] = {"corrected": MapSettings(), "uncorrected": MapSettings(motion=None)}
#: In the folder of a run: the rows, and the slices that pictures are drawn from.
ROWS, SLICES = "rows.jsonl", "slices"


def seeds_with_deficit(first: int, patients: int) -> list[int]:
    """The first so many seeds from ``first`` on whose patients have an acute occlusion."""
    seeds: list[int] = []
    for seed in count(first):
        if len(seeds) == patients:
            break
        if draw_patient(seed).stroke.site != "none":
            seeds.append(seed)
    return seeds


def in_turn(seeds: Sequence[int], protocols: Sequence[str]) -> dict[int, str]:
    """Which protocol images which patient: one after the other."""
    return {seed: protocols[k % len(protocols)] for k, seed in enumerate(seeds)}


@dataclass(frozen=True, eq=False)
class Study:
    """A rendered series, what each way made of it (or the error it was refused with), and the truth at its place."""

    rendered: PerfusionSeries
    ways: Mapping[str, SeriesMaps | InputError]
    seconds: Mapping[str, float]
    truth: Truth


def study_of(seed: int, protocol: Protocol) -> Study:
    """Render a patient's series as it would be acquired, and run it through both ways.

    Both are compared with the truth at the reference position of the motion estimate: the one that most frames show,
    so that maps of moving frames are not judged by a place where the head hardly was. Without an estimate: at rest.
    """
    scene = scene_of(draw_patient(seed))
    rendered = render_series(scene, protocol, seed)
    series = Series(rendered.hu, rendered.affine, rendered.times_s)
    ways: dict[str, SeriesMaps | InputError] = {}
    seconds = {}
    for name, settings in WAYS.items():
        start = time.perf_counter()
        try:
            ways[name] = maps_of_series(series, settings)
        except InputError as error:
            ways[name] = error
        seconds[name] = time.perf_counter() - start
    corrected = ways["corrected"]
    motion = None if isinstance(corrected, InputError) else corrected.motion
    transform = rendered.transforms[motion.reference] if motion else np.eye(4)
    return Study(rendered, ways, seconds, truth_of(scene, protocol, transform))


def _figures_of_way(found: SeriesMaps | InputError, truth: Truth) -> dict[str, Any]:
    if isinstance(found, InputError):
        return {"refused": found.code}
    figures = region_figures(found, truth) | input_figures(found, truth) | {"notes": list(found.notes)}
    if found.motion is not None:
        figures["reference_frame"] = found.motion.reference
        figures["largest_mm"] = found.motion.largest_mm
        figures["unmended"] = len(found.motion.unmended)
    return figures


def figures_of(seed: int, *, protocol_of: Mapping[int, str], slices: Path) -> dict[str, Any]:
    """A patient's row; the slice with most hypoperfusion is kept in the folder ``slices`` for the picture."""
    patient = draw_patient(seed)
    protocol = PROTOCOLS[protocol_of[seed]]
    study = study_of(seed, protocol)
    voxel_ml = abs(float(np.linalg.det(study.rendered.affine[:3, :3]))) / 1000
    keep_slice(study, slices / f"{seed}.npz")
    return {
        "seed": seed,
        "protocol": protocol.name,
        "site": patient.stroke.site,
        "side": patient.stroke.side,
        "motion": study.rendered.motion if protocol.motion == "drawn" else "none",
        **true_figures(study.truth, voxel_ml),
        **{name: _figures_of_way(found, study.truth) for name, found in study.ways.items()},
        "seconds": {name: round(value, 1) for name, value in study.seconds.items()},
    }


def keep_slice(study: Study, path: Path) -> None:
    """First frame, truth and Tmax (NaN where there is none) in the slice with most true hypoperfusion, ``.npz``."""
    truth, spacing = study.truth, np.linalg.norm(study.rendered.affine[:3, :3], axis=0)
    k = int(truth.deficit.sum(axis=(0, 1)).argmax())
    arrays = {"deficit": truth.deficit[..., k], "spacing_mm": spacing[:2], "head": study.rendered.hu[..., k, 0]}
    for name, found in study.ways.items():
        tmax = np.full(truth.tissue.shape[:2], np.nan, dtype=np.float32)
        if not isinstance(found, InputError):
            shown = found.maps["cbf"].array[..., k] > 0
            tmax[shown] = found.maps["tmax"].array[..., k][shown]
        arrays[name] = tmax
    with atomic.replacing(path) as file:
        np.savez_compressed(file, **arrays)


def measure_patients(
    folder: Path,
    protocol_of: Mapping[int, str],
    processes: int = 1,
    on_progress: Callable[[int], None] = lambda done: None,
) -> list[dict[str, Any]]:
    """Rows of all seeds of ``protocol_of``; those that the folder holds already are not made again.

    Raises
    ------
    InputError
        ``other_phantom`` (`rows_of_patients`); ``other_protocols``: the folder's patients were imaged differently.
    """
    figures = partial(figures_of, protocol_of=protocol_of, slices=folder / SLICES)
    rows = rows_of_patients(folder / ROWS, list(protocol_of), figures, processes, on_progress)
    different = [row["seed"] for row in rows if row["protocol"] != protocol_of[row["seed"]]]
    if different:
        raise InputError(
            f"{ROWS} holds patients of other protocols.",
            expected="the protocols that the run began with",
            got=f"{len(different)} patients imaged by another one, {different[0]} for instance",
            hint="Choose another folder with --out.",
            code="other_protocols",
        )
    return rows
