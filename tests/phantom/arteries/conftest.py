"""Patients with a given occlusion."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from perfusynth.phantom.patient import Patient, draw_patient


def make_occluded(site: str, side: str = "left", *, seed: int = 0, clot: dict[str, Any] | None = None, **arteries: Any):
    """A patient with an occlusion whose arterial traits (``arteries``) are ordinary unless given."""
    ordinary = {"a1_calibre": (1.0, 1.0), "fetal": (0.0, 0.0), "pcoa_mm": (0.5, 0.5), "acoa_mm": 1.5}
    patient = draw_patient(seed)
    patient = dataclasses.replace(patient, arteries=dataclasses.replace(patient.arteries, **(ordinary | arteries)))
    start = {"clot_start": 0.0, "clot_length_mm": 12.0, "clot_contrast_hu": 11.0}
    return patient.with_stroke(
        site=site, side="both" if site == "basilar" else side, mimic="none", **(start | (clot or {}))
    )


@pytest.fixture(scope="session")
def occluded() -> Callable[..., Patient]:
    """The maker of patients with an occlusion, `make_occluded`."""
    return make_occluded
