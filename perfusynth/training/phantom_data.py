"""Training data drawn on the fly: slabs of digital patients on the model grid, the same for the same step always."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.utils.data import IterableDataset

from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.generators.turbo.images import as_images, from_units
from perfusynth.perfusion.regions import RegionSettings
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.render import render_on_model_grid


@dataclass(frozen=True, eq=False)
class PatientSlabs:
    """One patient as network tensors.

    ``images`` (slabs, channels, x, y) and ``maps`` (slabs, outputs, x, y), both in [-1, 1]; ``brain`` and
    ``deficit`` (slabs, 1, x, y) bool.
    """

    images: torch.Tensor
    maps: torch.Tensor
    brain: torch.Tensor
    deficit: torch.Tensor


#: Tmax above which tissue counts as hypoperfused, s: the one that the regions are measured with.
DEFICIT_TMAX_S = RegionSettings().hypoperfusion_s


def draw_slabs(seed: int, spec: GeneratorSpec, nwu_gain: float = 1.0) -> PatientSlabs:
    """Render one digital patient on the model grid and bring it to the network's form.

    ``nwu_gain`` multiplies the core's net water uptake; 1 is the patient as drawn.
    """

    def boosted(patient: Patient) -> Patient:
        return patient.with_stroke(nwu_percent=patient.stroke.nwu_percent * nwu_gain)

    volumes = render_on_model_grid(seed, change=boosted).volumes
    targets = np.stack([volumes[output.name] for output in spec.outputs])
    brain = volumes["brain"] > 0.5
    return PatientSlabs(
        images=as_images(volumes[spec.inputs[0].name], brain, spec).half(),
        maps=torch.from_numpy(from_units(targets, spec)).half(),
        brain=_slabs_first(brain),
        deficit=_slabs_first(volumes["tmax"] > DEFICIT_TMAX_S),
    )


def _slabs_first(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(mask, -1, 0)[:, None]))


def _centred(size: int, length: int, shift: int) -> slice:
    start = min(max((size - length) // 2 + shift, 0), size - length)
    return slice(start, start + length)


class PhantomSlabs(IterableDataset):
    """An endless stream of batches; batch ``k`` depends on the settings and on ``k`` alone, so a run can resume.

    Parameters
    ----------
    spec
        The generator's inputs and outputs.
    seeds
        Half-open range of patients.
    batch_slabs, patient_pool, steps_per_patient, early_boost, early_boost_patients, crop, crop_jitter, seed
        See `perfusynth.training.config.TrainingConfig`.
    first_step
        Step to begin with.
    """

    def __init__(
        self,
        spec: GeneratorSpec,
        seeds: tuple[int, int],
        *,
        batch_slabs: int,
        patient_pool: int,
        steps_per_patient: int,
        early_boost: float,
        early_boost_patients: int,
        crop: tuple[int, int],
        crop_jitter: int,
        seed: int,
        first_step: int = 0,
    ):
        self.spec = spec
        self.seeds = seeds
        self.batch_slabs = batch_slabs
        self.patient_pool = patient_pool
        self.steps_per_patient = steps_per_patient
        self.early_boost = early_boost
        self.early_boost_patients = early_boost_patients
        self.crop = crop
        self.crop_jitter = crop_jitter
        self.seed = seed
        self.first_step = first_step

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = torch.utils.data.get_worker_info()
        stride, step = (worker.num_workers, self.first_step + worker.id) if worker else (1, self.first_step)
        draw = lru_cache(maxsize=2 * self.patient_pool)(
            lambda index: draw_slabs(self._patient(index), self.spec, self._gain(index))
        )
        while True:
            yield self._batch(step, draw)
            step += stride

    def _batch(self, step: int, draw) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng((self.seed, step))
        newest = step // self.steps_per_patient
        parts = []
        for _ in range(self.batch_slabs):
            patient = draw(newest + int(rng.integers(self.patient_pool)))
            slab = int(rng.integers(patient.images.shape[0]))
            shift = rng.integers(-self.crop_jitter, self.crop_jitter + 1, size=2)
            x, y = (
                _centred(size, side, int(by))
                for size, side, by in zip(patient.images.shape[2:], self.crop, shift, strict=True)
            )
            tensors = (patient.images, patient.maps, patient.brain, patient.deficit)
            parts.append([tensor[slab, :, x, y] for tensor in tensors])
        names = ("images", "maps", "brain", "deficit")
        return {name: torch.stack(values) for name, values in zip(names, zip(*parts, strict=True), strict=True)}

    def _gain(self, index: int) -> float:
        """The curriculum's boost of net water uptake for the index-th patient."""
        if index >= self.early_boost_patients:
            return 1.0
        return 1 + (self.early_boost - 1) * (1 - index / self.early_boost_patients)

    def _patient(self, index: int) -> int:
        """The index-th patient of the endless sequence of shuffled passes over the seeds."""
        count = self.seeds[1] - self.seeds[0]
        order = np.random.default_rng((self.seed, index // count)).permutation(count)
        return self.seeds[0] + int(order[index % count])
