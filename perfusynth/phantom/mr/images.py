"""From a signal on the brain lattice to an MR image: slices, skull and scalp, receiver coil, Rician noise."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from perfusynth.phantom.grid import Grid, Planes, brain_extent, planes_of
from perfusynth.phantom.head.face import GLOBE
from perfusynth.phantom.head.skull import FACE_LIMIT_Z, extracranial_hu
from perfusynth.phantom.lattice import BRAIN, HEAD, sample, smooth_field, stream
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.scene import Scene

Sequence = Literal["dwi", "flair"]

#: Native grids: matrix, pixel mm, slice mm (contiguous) [d, usual protocols].
MATRIX: dict[Sequence, int] = {"dwi": 128, "flair": 256}
PIXEL_MM: dict[Sequence, float] = {"dwi": 1.8, "flair": 0.9}
SLICE_MM = 5.0
#: What a scan shows above the vertex and below the foramen magnum, mm [d].
MARGIN_MM = (12.0, 8.0)
#: Smoothness of the coil's sensitivity, mm [d].
COIL_SIGMA_MM = 45.0
#: Signal of a unit proton density without any decay, arbitrary scanner units [d].
SCANNER_UNITS = 4000.0
#: Width of an edge outside the brain, mm [d].
EDGE_MM = 1.5
#: CT values outside the brain: air, its border, fat, its border, skin, muscle, bone of three kinds.
OUTSIDE_HU = (-1000.0, -400.0, -100.0, -40.0, 35.0, 55.0, 200.0, 550.0, 1350.0)


@dataclass(frozen=True)
class Outside:
    """Signal outside the brain, in units of `SCANNER_UNITS`: at each of `OUTSIDE_HU`, and of the eyes' fluid."""

    signal: tuple[float, ...]
    eye: float

    def __post_init__(self) -> None:
        if len(self.signal) != len(OUTSIDE_HU):
            raise ValueError(f"expected {len(OUTSIDE_HU)} signals, got {len(self.signal)}")


def native_mr_grid(patient: Patient, sequence: Sequence) -> Grid:
    """The grid on which a sequence is acquired: axial, in the head's frame, over the whole brain.

    Diffusion and FLAIR share their slice positions, as when they are planned together.
    """
    low, high = brain_extent(patient)
    slices = int(np.ceil((high[2] - low[2] + sum(MARGIN_MM)) / SLICE_MM))
    step = np.array([PIXEL_MM[sequence], PIXEL_MM[sequence], SLICE_MM])
    shape = (MATRIX[sequence], MATRIX[sequence], slices)
    affine = np.diag([*step, 1.0])
    affine[:2, 3] = (low[:2] + high[:2]) / 2 - step[:2] * (MATRIX[sequence] - 1) / 2
    affine[2, 3] = low[2] - MARGIN_MM[1] + SLICE_MM / 2
    return Grid(shape, affine, SLICE_MM)


def noise_free_image(scene: Scene, grid: Grid, brain: np.ndarray, fluid: float, outside: Outside) -> np.ndarray:
    """Signal without coil and noise on ``grid``, float32.

    Parameters
    ----------
    brain
        Signal on `BRAIN`, in units of `SCANNER_UNITS`.
    fluid
        That of CSF, for the space between brain and skull.
    outside
        Signals of skull, scalp and face.
    """
    image = np.zeros(grid.shape, dtype=np.float32)
    for planes in planes_of(scene.placement, grid):
        image[planes.where] = planes.averaged(_signal_at(planes, scene, brain, fluid, outside))
    return image


def _signal_at(planes: Planes, scene: Scene, brain: np.ndarray, fluid: float, outside: Outside) -> np.ndarray:
    points = planes.points.reshape(3, -1)
    beyond = sample(scene.skull.beyond, HEAD, points, outside=120.0)
    signal = np.zeros(beyond.shape, dtype=np.float32)
    within = np.flatnonzero(beyond < EDGE_MM)
    signal[within] = sample(brain, BRAIN, points[:, within], outside=fluid)
    farthest = float(scene.skull.thickness.max()) + scene.patient.head.scalp_mm + EDGE_MM
    outer = np.flatnonzero((beyond > -EDGE_MM) & ((beyond < farthest) | (points[2] < FACE_LIMIT_Z)))
    distance, places = beyond[outer], points[:, outer]
    thickness = sample(scene.skull.thickness, HEAD, places, outside=6.0)
    hu = extracranial_hu(distance, thickness, places, scene.patient, EDGE_MM)
    share = np.clip(distance / np.float32(EDGE_MM) + 0.5, 0, 1)
    found = np.interp(hu, OUTSIDE_HU, outside.signal).astype(np.float32)
    found += _in_eyes(places) * (np.float32(outside.eye) - found)
    signal[outer] += share * (found - signal[outer])
    return signal


def _in_eyes(points: np.ndarray) -> np.ndarray:
    """Share 0-1 of the eyes' fluid at MNI points ``(3, n)``: by CT it cannot be told from the edge of the skin."""
    inside = np.zeros(points.shape[1], dtype=np.float32)
    centre, radii = np.array(GLOBE[:3])[:, None], np.array(GLOBE[3:6])[:, None]
    near = np.flatnonzero(np.abs(points[2] - centre[2]) < radii[2] + EDGE_MM)
    local = np.concatenate([np.abs(points[:1, near]), points[1:, near]])
    depth = (1 - np.sqrt((((local - centre) / radii) ** 2).sum(axis=0))) * radii.min()
    inside[near] = np.clip(depth / EDGE_MM + 0.5, 0, 1)
    return inside


def coil_sensitivity(scene: Scene, grid: Grid, sequence: Sequence) -> np.ndarray:
    """Smooth factor about 1 on ``grid``, float32: how much of the signal the coil receives."""
    lattice = HEAD.coarser(COIL_SIGMA_MM / 3)
    field = smooth_field(stream(scene.patient.seed, f"coil {sequence}"), lattice, COIL_SIGMA_MM)
    sensitivity = np.ones(grid.shape, dtype=np.float32)
    ends = [np.array([axis.ravel()[end] for axis in lattice.axes()])[:, None] for end in (0, -1)]
    for planes in planes_of(scene.placement, grid):
        centres = planes.centres(scene.placement, grid)
        values = sample(field, lattice, np.clip(centres.reshape(3, -1), *ends)).reshape(centres.shape[1:])
        sensitivity[planes.where] = np.exp(np.float32(scene.patient.mr.coil_shading) * values)
    return sensitivity


def rician(signal: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    """Magnitude of a complex signal with normal noise of ``sd`` in both parts, float32."""
    real = signal + np.float32(sd) * rng.standard_normal(signal.shape, dtype=np.float32)
    return np.hypot(real, np.float32(sd) * rng.standard_normal(signal.shape, dtype=np.float32))
