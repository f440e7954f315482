"""A head whose deficit is known in mm, stored in any order: truth for what the views must show."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from measured_cases import Case, Maps, server_case
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.result_package import SynthesisResult

from perfusynth.volumes.brain import Midplane

#: Half axes of the brain and thickness of the skull, mm; the head's centre is the origin.
BRAIN_MM, SKULL_MM = np.array([62.0, 78.0, 58.0]), 8.0
#: Centre (RAS, mm) and width of the deficit; the patient's LEFT. Tmax there is BASE + RISE, s.
CENTRE, WIDTH_MM, BASE_S, RISE_S = np.array([-30.0, 12.0, 8.0]), 16.0, 2.0, 8.0
#: CBF, mL/100 g/min: far from the deficit, and what is left of it in its centre.
NORMAL_CBF, LOWEST_CBF = 50.0, 4.0

#: How a scan may be stored: columns are the directions (RAS) of the array's three axes.
STORED = {
    "RAS": np.eye(3),
    "LPS": np.diag([-1.0, -1.0, 1.0]),
    "feet first": np.diag([1.0, 1.0, -1.0]),
    "prone": np.diag([-1.0, 1.0, -1.0]),
    "sagittal": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
}


class Head(NamedTuple):
    """The NCCT (HU), the result that a server would give, and what its measurements say."""

    ncct: GridVolume
    result: SynthesisResult
    case: Case


def grid(directions: np.ndarray, spacing=(1.0, 1.0, 4.0)) -> tuple[tuple[int, int, int], np.ndarray]:
    """Shape and affine of a grid around the head; the largest spacing lies along the patient's long axis."""
    along = np.abs(directions).argmax(axis=0)
    spacing = np.array(spacing)[along]
    extent = np.array([170.0, 200.0, 140.0])[along]
    shape = np.ceil(extent / spacing).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2)
    return (int(shape[0]), int(shape[1]), int(shape[2])), affine


def turned(degrees: float) -> np.ndarray:
    """Directions of a grid that is turned by so much about an oblique axis; the head stays where it is."""
    x, y, z = np.array([0.5, 0.7, 0.51]) / np.linalg.norm([0.5, 0.7, 0.51])
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def places(shape, affine: np.ndarray) -> np.ndarray:
    """RAS of every voxel, mm: (x, y, z, 3)."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    return index @ affine[:3, :3].T + affine[:3, 3]


def tmax_at(ras: np.ndarray) -> np.ndarray:
    """Tmax inside the brain, s."""
    return BASE_S + RISE_S * np.exp(-(((ras - CENTRE) / WIDTH_MM) ** 2).sum(axis=-1) / 2)


def radius_of(threshold_s: float) -> float:
    """Radius of the sphere around CENTRE in which Tmax is above a threshold, mm."""
    return float(WIDTH_MM * np.sqrt(2 * np.log(RISE_S / (threshold_s - BASE_S))))


def head(directions: np.ndarray = STORED["RAS"], spacing=(1.0, 1.0, 4.0)) -> Head:
    """The head on a grid of these directions; spacing along left-right, front-back, up-down, mm."""
    shape, affine = grid(directions, spacing)
    ras = places(shape, affine)
    size = np.sqrt(((ras / BRAIN_MM) ** 2).sum(axis=-1))
    outside = np.sqrt(((ras / (BRAIN_MM + SKULL_MM)) ** 2).sum(axis=-1))
    brain = size < 1
    ncct = np.where(brain, 32.0, np.where(outside < 1, 900.0, -1000.0)).astype(np.float32)
    tmax = np.where(brain, tmax_at(ras), 0).astype(np.float32)
    share = (tmax - BASE_S) / RISE_S
    cbf = np.where(brain, NORMAL_CBF - (NORMAL_CBF - LOWEST_CBF) * share**2, 0).astype(np.float32)
    maps = Maps(*(GridVolume(np.asfortranarray(a), affine) for a in (tmax, cbf, brain.astype(np.uint8))))
    case = server_case(maps, midplane=Midplane(np.zeros(3), np.array([1.0, 0, 0])))
    result = SynthesisResult({"tmax": maps.tmax, "cbf": maps.cbf}, maps.brain, None, case.document)
    return Head(GridVolume(np.asfortranarray(ncct), affine), result, case)
