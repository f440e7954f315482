"""One patient of an evaluation: what goes into a model, what should come out, and what is known of him."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from perfusynth.evaluation.information_ceiling.bank import site_of
from perfusynth.evaluation.information_ceiling.sign_reader import SignReader
from perfusynth.perfusion.regions import Regions, RegionSettings, measure_regions
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.render import RenderedCase
from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.volume import Volume

#: How regions are cleaned and measured, true and made alike.
REGIONS = RegionSettings()
#: Which grid a case lies on: the models' own, or a scanner's.
GridKind = Literal["model", "native"]


@dataclass(frozen=True, eq=False)
class EvaluationCase:
    """One patient, all arrays on one grid.

    Parameters
    ----------
    name
        Seed, or name of the case folder.
    inputs
        What a model may look at, by modality: float32 ``(x, y, z)`` (``ncct`` [HU]).
    brain
        bool, same shape; a model is told it.
    truth
        ``tmax`` [s], ``cbf`` [mL/100 g/min] as measured; 0 outside ``measured``.
    valid
        bool: where the true maps exist.
    affine
        4x4, voxel to RAS mm.
    midplane
        Between the patient's halves.
    grid
        ``model``: nearest-RAS order, the brain in the middle of x (what `Generator.on_model_grid` takes).
    about
        Facts of the patient that every row repeats (`facts_of_patient`).
    """

    name: str
    inputs: Mapping[str, np.ndarray]
    brain: np.ndarray
    truth: Mapping[str, np.ndarray]
    valid: np.ndarray
    affine: np.ndarray
    midplane: Midplane
    grid: GridKind
    about: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def measured(self) -> np.ndarray:
        """Brain where true maps exist: there alone is compared."""
        return self.brain & self.valid

    @cached_property
    def true_regions(self) -> Regions:
        """Regions of the true maps."""
        return self.regions_of(self.truth)

    @property
    def has_deficit(self) -> bool:
        """Whether there is a deficit to find: a region after clean-up, in a phantom one that a drawn lesion causes."""
        return self.true_regions.hypoperfusion_ml > 0 and self.about.get("site") != "none"

    def regions_of(self, maps: Mapping[str, np.ndarray]) -> Regions:
        """Regions of ``tmax`` and, where there is one, ``cbf`` inside `measured`."""
        tmax, cbf = (
            Volume(maps[name] * self.measured, self.affine) if name in maps else None for name in ("tmax", "cbf")
        )
        if tmax is None:
            raise ValueError(f"expected a map tmax, got {sorted(maps)}")
        return measure_regions(tmax, cbf, self.measured, self.midplane, REGIONS)


def facts_of_patient(patient: Patient, signs: SignReader | None) -> dict[str, Any]:
    """What was drawn: site, side, onset, mimic, and whether an NCCT shows clot or core (`sign`)."""
    stroke = patient.stroke
    sign = {"clot": None, "core": None} if signs is None else signs(patient)
    return {
        "site": site_of(patient),
        "side": stroke.side,
        "onset_h": round(float(stroke.onset_to_imaging_h), 2),
        "mimic": stroke.mimic,
        "sign_clot": sign["clot"],
        "sign_core": sign["core"],
    }


def case_of_rendered(case: RenderedCase, signs: SignReader | None = None) -> EvaluationCase:
    """A digital patient on the model grid."""
    volumes = case.volumes
    brain = volumes["brain"] > 0.5
    return EvaluationCase(
        name=str(case.patient.seed),
        inputs={"ncct": volumes["ncct"]},
        brain=brain,
        truth={name: volumes[name] for name in ("tmax", "cbf")},
        valid=volumes["valid"] > 0.5,
        affine=case.affine,
        midplane=centre_plane(brain, case.affine),
        grid="model",
        about={
            "seed": case.patient.seed,
            **facts_of_patient(case.patient, signs),
            "scanner": case.scanner.name,
            "protocol": case.protocol.name,
        },
    )


def centre_plane(brain: np.ndarray, affine: np.ndarray) -> Midplane:
    """The sagittal plane through the brain's centre: close to a digital patient's own on his model grid."""
    index = np.array([np.mean(axis) for axis in np.nonzero(brain)])
    return Midplane(affine[:3, :3] @ index + affine[:3, 3], np.array([1.0, 0.0, 0.0]))
