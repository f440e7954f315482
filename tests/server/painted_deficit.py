"""A pipeline that is real but for its generator, which paints a deficit whose place is known without any model."""

from pathlib import Path

import nibabel as nib
import numpy as np

from perfusynth.generators.base import Synthesis
from perfusynth.generators.registry import live_bundle
from perfusynth.synthesis.options import SynthesisOptions
from perfusynth.synthesis.pipeline import Pipeline

#: The deficit is a ball in the patient's left half: centre from the grid's centre, and radius, RAS mm.
CENTRE_MM = np.array([-22.0, 4.0, -3.0])
RADIUS_MM = 16.0
#: The core is a smaller ball around the same point.
CORE_MM = 9.0
SHAPE = (48, 40, 16)
#: Oblique, anisotropic, first axis from left to right turned round: what a head looks like out of DICOM.
AFFINE = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.1, -0.15, 0.2) @ np.diag([-2.1, 1.9, 4.5]), np.array([60.0, -31.0, -40.0])
)
#: A line is added each time that a generator is loaded.
LOADS = "loads.txt"


def write_oblique(path: Path) -> None:
    """An NCCT without a head, for pipelines that do not look for one."""
    noise = np.random.default_rng(6).normal(35, 5, SHAPE)
    nib.save(nib.Nifti1Image(np.rint(noise).astype(np.int16), AFFINE), path)


def distance_mm(shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """Of each voxel from the deficit's centre."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    middle = nib.affines.apply_affine(affine, (np.array(shape) - 1) / 2)
    return np.linalg.norm(nib.affines.apply_affine(affine, index) - middle - CENTRE_MM, axis=-1)


class PaintedPipeline(Pipeline):
    """Neither checks the head nor looks for its brain."""

    @classmethod
    def load(cls, task: str, *, device: str = "auto") -> "PaintedPipeline":
        with open(LOADS, "a") as file:
            file.write(f"{task}\n")
        bundle = live_bundle(task)
        return cls(bundle, _Painter([output.name for output in bundle.spec.outputs]))

    def warm_up(self) -> None:
        pass

    def run(self, inputs, out, *, options, on_progress):
        blind = SynthesisOptions(**options.model_dump() | {"checks": False, "mask": False})
        return super().run(inputs, out, options=blind, on_progress=on_progress)


class _Painter:
    def __init__(self, outputs: list[str]):
        self._outputs = outputs

    def synthesize(self, inputs, *, options=None, on_progress=None):
        grid = inputs["ncct"]
        distance = distance_mm(grid.shape, grid.affine)
        painted = {
            "tmax": np.where(distance <= RADIUS_MM, 9.0, 2.0),
            "cbf": np.where(distance <= CORE_MM, 6.0, 45.0),
            "hypoperfusion_probability": np.where(distance <= RADIUS_MM, 0.9, 0.1),
        }
        return Synthesis({name: grid.with_array(painted[name]) for name in self._outputs})
