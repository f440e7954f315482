"""The bank of twins: many drawn patients with what their NCCT shows and where their Tmax exceeds 6 s."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from perfusynth.evaluation.information_ceiling.chunks import OnProgress, check_identity, chunked
from perfusynth.evaluation.information_ceiling.visible import NAMES, brain_voxels, visible_parts
from perfusynth.phantom.lattice import BRAIN_COARSE
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.stroke.coarse import coarse_deficit
from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash

#: Seeds of the bank; training, tuning and test seeds lie elsewhere.
BANK_SEEDS = range(5_000_000, 5_500_000)
#: Draws in one file.
CHUNK_DRAWS = 500
#: Hypoperfusion, s [DESIGN].
TMAX_S = 6.0
#: A share of core from which a coarse voxel counts as core.
CORE_SHARE = 0.5
#: Changes whenever a chunk's content means something else.
BANK_FORMAT = 1
#: What is ill, as a code in the bank; chronic occlusions are a site of their own.
SITES = ("none", "chronic ICA", "ICA", "M1", "M2-sup", "M2-inf", "A2", "P2", "basilar")


def site_of(patient: Patient) -> str:
    """Name of what is ill, one of `SITES`."""
    return "chronic ICA" if patient.stroke.chronic_ica else patient.stroke.site


@dataclass(frozen=True, eq=False)
class Draws:
    """Patients of the generator; ``n`` of them.

    Parameters
    ----------
    seeds
        ``(n,)`` int64.
    regions, cores
        Bits of Tmax > 6 s and of the core, packed along the brain's voxels: uint8 ``(n, bytes)``.
    region_ml, core_ml
        Volumes in the patient's own size, float32.
    right_share
        Share of the region right of the midline; 0.5 where there is none.
    sites
        Index into `SITES`, int8.
    parts
        `visible_parts`, float32.
    """

    seeds: np.ndarray
    regions: np.ndarray
    cores: np.ndarray
    region_ml: np.ndarray
    core_ml: np.ndarray
    right_share: np.ndarray
    sites: np.ndarray
    parts: np.ndarray

    def first(self, count: int) -> "Draws":
        """The first draws alone."""
        return Draws(**{name: values[:count] for name, values in vars(self).items()})

    def __len__(self) -> int:
        return len(self.seeds)

    def masks(self, index: np.ndarray, *, core: bool = False) -> np.ndarray:
        """Regions (or cores) of twins, bool ``(len(index), voxels)``; index ``n + i`` is draw i's mirror image."""
        voxels = brain_voxels()
        packed = self.cores if core else self.regions
        found = np.unpackbits(packed[index % len(self)], axis=1, count=voxels.count).view(bool)
        mirrored = index >= len(self)
        found[mirrored] = np.take(found[mirrored], voxels.mirror, axis=1)
        return found


def draws_of(patients: list[Patient]) -> Draws:
    """Draws of given patients."""
    voxels = brain_voxels()
    rows: dict[str, list] = {f.name: [] for f in fields(Draws)}
    for patient in patients:
        deficit = coarse_deficit(patient)
        voxel_ml = BRAIN_COARSE.step_mm**3 * float(np.prod(patient.head.scale)) / 1000
        region = deficit.tmax_expected_s[voxels.inside] > TMAX_S
        core = deficit.infarct[voxels.inside] > CORE_SHARE
        count = np.count_nonzero(region)
        rows["seeds"].append(patient.seed)
        rows["regions"].append(np.packbits(region))
        rows["cores"].append(np.packbits(core))
        rows["region_ml"].append(count * voxel_ml)
        rows["core_ml"].append(np.count_nonzero(core) * voxel_ml)
        rows["right_share"].append(float(voxels.right[region].mean()) if count else 0.5)
        rows["sites"].append(SITES.index(site_of(patient)))
        rows["parts"].append(visible_parts(patient, deficit))
    kinds = {"seeds": np.int64, "regions": np.uint8, "cores": np.uint8, "sites": np.int8}
    return Draws(**{name: np.asarray(values, dtype=kinds.get(name, np.float32)) for name, values in rows.items()})


def identity() -> dict:
    """What the content of a bank depends on."""
    return {
        "bank_format": BANK_FORMAT,
        "phantom_version": PHANTOM_VERSION,
        "parameter_hash": parameter_hash(),
        "brain_voxels": brain_voxels().count,
        "summaries": list(NAMES),
    }


def draw(seeds: range) -> dict[str, np.ndarray]:
    """Arrays of `Draws`, without rendering the patients (about 40 ms each)."""
    return vars(draws_of([draw_patient(seed) for seed in seeds]))


def bank_of(folder: Path, draws: int, *, processes: int = 2, on_progress: OnProgress | None = None) -> Draws:
    """The first ``draws`` of `BANK_SEEDS`, drawn where they are not yet in ``folder``.

    A folder of another phantom version or parameter hash is refused.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    check_identity(folder, identity())
    seeds = BANK_SEEDS[:draws]
    return Draws(
        **chunked(folder, "draws", seeds, draw, size=CHUNK_DRAWS, processes=processes, on_progress=on_progress)
    )
