"""Everything of one patient that does not depend on a scanner or a grid, made once and kept while it is rendered."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.head.pose import Placement, placement_of
from perfusynth.phantom.head.skull import SkullFields, skull_fields
from perfusynth.phantom.head.tissue import Tissue, tissue_of
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.stroke.haemodynamics import Haemodynamics, haemodynamics_of


@dataclass(frozen=True, eq=False)
class Scene:
    """A patient with the fields that follow from him; fields on `BRAIN` and `HEAD`, template space."""

    patient: Patient
    placement: Placement
    tissue: Tissue
    haemodynamics: Haemodynamics
    skull: SkullFields

    @cached_property
    def infarct(self) -> np.ndarray:
        """Share 0-1 of each voxel of `BRAIN` that is infarcted tissue, as DWI shows it: fluid is not, float32."""
        return self.haemodynamics.core * (1 - self.tissue.csf)


@lru_cache(maxsize=2)
def scene_of(patient: Patient) -> Scene:
    """The scene of a patient (about 0.4 s)."""
    tissue = tissue_of(patient)
    return Scene(
        patient,
        placement_of(patient),
        tissue,
        haemodynamics_of(patient, tissue),
        skull_fields(patient, atlas(patient.head.anatomy).cavity),
    )
