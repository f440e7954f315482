"""The perfusion fields of one patient on the brain lattice: the coarse model refined by his own tissue.

Every map that a measurement could make of the patient, and all that the stroke does to other images, follows from
these fields.
"""

from dataclasses import dataclass

import numpy as np

from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.head.tissue import Tissue
from perfusynth.phantom.lattice import BRAIN, BRAIN_COARSE, upsample
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.stroke.coarse import MARGIN_MM, scattered, swelling_of
from perfusynth.phantom.stroke.ischaemia import levels_of, perfusion_at
from perfusynth.phantom.stroke.severity import coarse_brain, order_of

#: CBF and CBV left in what an old infarct has made of the tissue, relative; its rim has the rest of the loss [d].
OLD_INFARCT_FLOW = 0.25


@dataclass(frozen=True, eq=False)
class Haemodynamics:
    """The simulator's own fields on `BRAIN`, float32, without any measurement's blur or noise.

    Parameters
    ----------
    cbf, cbv
        mL/100 g/min and mL/100 g, 0 in CSF.
    delay_s
        Arrival of the bolus after the arterial input, s (at most 20).
    dispersion_s
        Time constant of the exponential vascular transport before the tissue, s (0: none).
    core
        Where tissue is infarcted, 0-1; `Scene.infarct` is how much infarcted tissue a voxel holds.
    water_uptake_percent
        Net water uptake, % of tissue volume, >= 0.
    rcbf
        CBF relative to the same tissue when healthy.
    tmax_expected_s
        Tmax as `kinetics.STANDARD_DECONVOLUTION` would measure it: ``delay_s`` and what transit and dispersion add.
    swelling
        Share of the CSF space displaced by swelling, 0-1.
    """

    cbf: np.ndarray
    cbv: np.ndarray
    delay_s: np.ndarray
    dispersion_s: np.ndarray
    core: np.ndarray
    water_uptake_percent: np.ndarray
    rcbf: np.ndarray
    tmax_expected_s: np.ndarray
    swelling: np.ndarray

    @property
    def mtt_s(self) -> np.ndarray:
        """Mean transit time by the central volume theorem, s; 0 where there is no flow."""
        return np.where(self.cbf > 0, 60 * self.cbv / np.maximum(self.cbf, 1e-3), 0).astype(np.float32)


def haemodynamics_of(patient: Patient, tissue: Tissue) -> Haemodynamics:
    """Fields of one patient; see the module's first lines."""
    coarse = order_of(patient)
    levels = levels_of(patient, coarse)
    at = np.flatnonzero(atlas(patient.head.anatomy).depth < MARGIN_MM)
    grey, white = tissue.grey.ravel()[at], tissue.white.ravel()[at]
    found = perfusion_at(patient, levels, coarse.refined(at), grey, white)
    # Lost tissue has little flow, and cannot be infarcted again.
    old = tissue.old_infarct.ravel()[at]
    left = 1 - (1 - np.float32(OLD_INFARCT_FLOW)) * old

    swelling = np.zeros(BRAIN.shape, dtype=np.float32)
    if patient.stroke.swelling > 0:
        brain = coarse_brain(patient.head.anatomy)
        at_4mm = np.flatnonzero(brain.depth < MARGIN_MM)
        mean = perfusion_at(patient, levels, coarse.at(at_4mm), brain.grey.ravel()[at_4mm], brain.white.ravel()[at_4mm])
        core, tmax = (scattered(v, at_4mm, BRAIN_COARSE.shape) for v in (mean.core, mean.tmax_expected_s))
        swelling = upsample(swelling_of(patient, core, tmax), BRAIN_COARSE, BRAIN)

    def on_brain(values: np.ndarray, outside: float = 0.0) -> np.ndarray:
        return scattered(values, at, BRAIN.shape, outside)

    return Haemodynamics(
        cbf=on_brain(found.cbf * left),
        cbv=on_brain(found.cbv * left),
        delay_s=on_brain(found.delay_s),
        dispersion_s=on_brain(found.dispersion_s),
        core=on_brain(found.core * (1 - old)),
        water_uptake_percent=on_brain(found.water_uptake_percent * (1 - old)),
        rcbf=on_brain(found.rcbf * left, 1.0),
        tmax_expected_s=on_brain(found.tmax_expected_s, patient.circulation.tmax_normal_s),
        swelling=swelling,
    )
