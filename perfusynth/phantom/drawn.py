"""Digital patients drawn once and kept: what training and evaluation need of each, brain voxels alone, on disk.

Drawing takes about two seconds a patient, as long as training on him: several models that are trained or measured on
the same patients draw them once.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from perfusynth import atomic
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.ctp.protocols import PROTOCOLS
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.render import RenderedCase, render_on_model_grid, whole_head
from perfusynth.phantom.version import parameter_hash
from perfusynth.volumes.model_grid import AIR_HU

#: Kept per brain voxel, float16 (0.03 HU, 0.008 s, 0.06 mL/100 g/min at the values of tissue), and outside the brain.
KEPT = {"ncct": AIR_HU, "tmax": 0.0, "cbf": 0.0}
#: Patients in one folder of files.
PER_FOLDER = 1000

#: Gives a patient's rendered case from his seed.
CaseOfSeed = Callable[[int], RenderedCase]


class DrawnPatients:
    """Rendered patients by seed, read from ``folder`` or drawn into it.

    A file is complete or not there; several processes may share the folder. Patients of another phantom version or
    with other parameters lie in a folder of their own.
    """

    def __init__(self, folder: Path):
        self._folder = Path(folder) / parameter_hash()[:12]

    def path_of(self, seed: int) -> Path:
        """The patient's file."""
        return self._folder / str(seed // PER_FOLDER) / f"{seed}.npz"

    def __call__(self, seed: int) -> RenderedCase:
        """The patient as `render_on_model_grid` renders him, but ``cbv``, ``mtt`` and all outside the brain."""
        path = self.path_of(seed)
        if not path.exists():
            self._keep(render_on_model_grid(seed), path)
        return _read(path, seed)

    def _keep(self, case: RenderedCase, path: Path) -> None:
        brain = case.volumes["brain"] > 0
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path) as file:
            np.savez(
                file,
                brain=np.packbits(brain),
                shape=np.array(brain.shape),
                affine=case.affine,
                core=np.packbits(case.volumes["core"][brain] > 0),
                scanner=case.scanner.name,
                protocol=case.protocol.name,
                **{name: case.volumes[name][brain].astype(np.float16) for name in KEPT},
            )


def _read(path: Path, seed: int) -> RenderedCase:
    with np.load(path) as kept:
        shape = tuple(int(n) for n in kept["shape"])
        brain = np.unpackbits(kept["brain"], count=int(np.prod(shape))).reshape(shape).view(bool)
        volumes = {"brain": brain.astype(np.float32), "valid": np.ones(shape, dtype=np.float32)}
        for name, outside in KEPT.items():
            volumes[name] = np.full(shape, outside, dtype=np.float32)
            volumes[name][brain] = kept[name]
        volumes["core"] = np.zeros(shape, dtype=np.float32)
        volumes["core"][brain] = np.unpackbits(kept["core"], count=np.count_nonzero(brain))
        scanner, protocol = SCANNERS[str(kept["scanner"])], whole_head(PROTOCOLS[str(kept["protocol"])])
        return RenderedCase(volumes, kept["affine"], draw_patient(seed), scanner, protocol)
