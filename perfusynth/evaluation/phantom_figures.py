"""Figures of a generator on digital patients that it has never seen, beside a constant normal map."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from perfusynth.perfusion.regions import RegionSettings, measure_regions
from perfusynth.phantom.render import RenderedCase, render_on_model_grid
from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.volume import Volume

#: False-positive volume (mL) in a patient without deficit from which a reader would be misled (DESIGN bar: 15 mL).
FALSE_POSITIVE_ML = 15.0

#: Makes maps by name on the model grid from a rendered patient.
Predict = Callable[[RenderedCase], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class PatientFigures:
    """One patient, one method. Errors in s and mL/100 g/min; ``dice_tmax6`` is ``None`` without a deficit."""

    seed: int
    method: str
    site: str
    side: str
    onset_h: float
    truth_ml: float
    made_ml: float
    truth_core_ml: float
    made_core_ml: float
    made_side: str
    dice_tmax6: float | None
    mae_tmax_brain: float
    mae_tmax_deficit: float | None
    mae_cbf_brain: float
    mae_cbf_deficit: float | None


def patient_figures(seed: int, method: str, case: RenderedCase, made: Mapping[str, np.ndarray]) -> PatientFigures:
    """Compare made maps with the patient's own, inside the brain, regions cleaned alike on both sides."""
    truth = case.volumes
    brain = truth["brain"] > 0.5
    # The phantom's own mid-sagittal plane in the scan is close to x = centre of the brain on the model grid.
    midplane = Midplane(_centre(brain, case.affine), np.array([1.0, 0.0, 0.0]))
    settings = RegionSettings()

    def regions(maps: Mapping[str, np.ndarray]):
        tmax, cbf = (Volume(maps[name] * brain, case.affine) for name in ("tmax", "cbf"))
        return measure_regions(tmax, cbf, brain, midplane, settings)

    there, here = regions(truth), regions(made)
    deficit = there.hypoperfusion
    overlap = np.count_nonzero(deficit & here.hypoperfusion)
    total = np.count_nonzero(deficit) + np.count_nonzero(here.hypoperfusion)
    errors = {name: np.abs(made[name] - truth[name]) for name in ("tmax", "cbf")}
    return PatientFigures(
        seed=seed,
        method=method,
        site=case.patient.stroke.site,
        side=there.laterality.side,
        onset_h=case.patient.stroke.onset_to_imaging_h,
        truth_ml=there.hypoperfusion_ml,
        made_ml=here.hypoperfusion_ml,
        truth_core_ml=there.core_ml or 0.0,
        made_core_ml=here.core_ml or 0.0,
        made_side=here.laterality.side,
        dice_tmax6=2 * overlap / total if deficit.any() else None,
        mae_tmax_brain=float(errors["tmax"][brain].mean()),
        mae_tmax_deficit=float(errors["tmax"][deficit].mean()) if deficit.any() else None,
        mae_cbf_brain=float(errors["cbf"][brain].mean()),
        mae_cbf_deficit=float(errors["cbf"][deficit].mean()) if deficit.any() else None,
    )


def _centre(brain: np.ndarray, affine: np.ndarray) -> np.ndarray:
    index = np.array([np.mean(axis) for axis in np.nonzero(brain)])
    return affine[:3, :3] @ index + affine[:3, 3]


def constant_normal(tmax_s: float, cbf: float) -> Predict:
    """The baseline that knows nothing: normal values everywhere in the brain."""
    return lambda case: {
        "tmax": np.full(case.volumes["tmax"].shape, tmax_s, dtype=np.float32),
        "cbf": np.full(case.volumes["cbf"].shape, cbf, dtype=np.float32),
    }


def normal_values(seeds: Iterable[int]) -> tuple[float, float]:
    """Median Tmax (s) and CBF (mL/100 g/min) of the brain over patients: the constants that minimise mean error."""
    values: dict[str, list[float]] = {"tmax": [], "cbf": []}
    for seed in seeds:
        volumes = render_on_model_grid(seed).volumes
        for name, found in values.items():
            found.append(float(np.median(volumes[name][volumes["brain"] > 0.5])))
    return float(np.mean(values["tmax"])), float(np.mean(values["cbf"]))


def summary(rows: list[PatientFigures]) -> dict[str, float | int | None]:
    """Means over patients of one method, and the counts that a reader asks for first."""
    deficit = [row for row in rows if row.truth_ml > 0]
    healthy = [row for row in rows if row.truth_ml == 0]
    sided = [row for row in deficit if row.side in ("right", "left")]
    called = [row for row in sided if row.made_side in ("right", "left")]

    def mean(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return round(float(np.mean(known)), 3) if known else None

    return {
        "patients": len(rows),
        "patients_with_deficit": len(deficit),
        "mae_tmax_brain_s": mean(row.mae_tmax_brain for row in rows),
        "mae_tmax_deficit_s": mean(row.mae_tmax_deficit for row in deficit),
        "mae_cbf_brain": mean(row.mae_cbf_brain for row in rows),
        "mae_cbf_deficit": mean(row.mae_cbf_deficit for row in deficit),
        "dice_tmax6": mean(row.dice_tmax6 for row in deficit),
        "volume_bias_ml": mean(row.made_ml - row.truth_ml for row in deficit),
        "volume_mae_ml": mean(abs(row.made_ml - row.truth_ml) for row in deficit),
        "side_called": len(called),
        "side_right_of_called": mean(float(row.made_side == row.side) for row in called),
        "no_deficit_patients": len(healthy),
        "no_deficit_at_least_15_ml": sum(row.made_ml >= FALSE_POSITIVE_ML for row in healthy),
    }


def as_rows(rows: list[PatientFigures]) -> list[dict]:
    """Plain dictionaries, for a CSV file."""
    return [asdict(row) for row in rows]
