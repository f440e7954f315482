"""A head that is known in mm, seen by two scanners: fixed and moving image of one formula, and the truth between."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PerfuSynthLib.grid_volume import GridVolume

#: Half axes of skull and brain, mm; the head's centre is the fixed frame's origin.
SKULL_MM, BRAIN_MM = np.array([70.0, 88.0, 66.0]), np.array([63.0, 80.0, 58.0])
#: A dense ball in the brain: the patient's LEFT, in front, above the middle (RAS, mm); nothing mirrors it.
BALL, BALL_MM, BALL_HU = np.array([-28.0, 34.0, 10.0]), 7.0, 150.0
#: A ventricle on the right and behind.
CYST, CYST_MM = np.array([20.0, -30.0, -8.0]), np.array([10.0, 22.0, 14.0])
BRAIN_HU, CYST_HU, BONE_HU, AIR_HU = 34.0, 6.0, 900.0, -1000.0
#: Width of every edge, mm: no finer than the voxels.
EDGE_MM = 1.0


class Pair(NamedTuple):
    """Two images and the truth between them (4x4, RAS, mm)."""

    fixed: GridVolume
    moving: GridVolume
    fixed_to_moving: np.ndarray


def hu_at(ras: np.ndarray, ball_hu: float = BALL_HU) -> np.ndarray:
    """HU of the head at places (..., 3) of its own frame."""
    hu = AIR_HU + (BONE_HU - AIR_HU) * _inside(ras, np.zeros(3), SKULL_MM)
    for centre, half_axes, value in (
        (np.zeros(3), BRAIN_MM, BRAIN_HU),
        (CYST, CYST_MM, CYST_HU),
        (BALL, np.full(3, BALL_MM), ball_hu),
    ):
        share = _inside(ras, centre, half_axes)
        hu = hu * (1 - share) + value * share
    return hu


def _inside(ras: np.ndarray, centre: np.ndarray, half_axes: np.ndarray) -> np.ndarray:
    """1 inside an ellipsoid, 0 outside, with a soft edge."""
    size = np.sqrt((((ras - np.array(centre)) / np.array(half_axes)) ** 2).sum(axis=-1))
    return np.clip(0.5 - (size - 1) * min(half_axes) / EDGE_MM, 0, 1)


def grid(spacing, extent=(190.0, 220.0, 150.0), directions=None) -> tuple[tuple[int, ...], np.ndarray]:
    """Shape and affine of a grid around the origin; columns of ``directions`` (RAS) are the array's axes."""
    directions = np.diag([-1.0, -1.0, 1.0]) if directions is None else directions
    along = np.abs(directions).argmax(axis=0)
    spacing, extent = np.array(spacing)[along], np.array(extent)[along]
    shape = np.ceil(extent / spacing).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    affine[:3, 3] = -affine[:3, :3] @ ((shape - 1) / 2)
    return tuple(int(n) for n in shape), affine


def image(shape, affine, to_head: np.ndarray, seed: int, noise: float, ball_hu: float) -> GridVolume:
    """The head on a grid; ``to_head`` takes the grid's frame to the head's."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    matrix = to_head @ affine
    hu = hu_at(index @ matrix[:3, :3].T + matrix[:3, 3], ball_hu)
    hu += np.random.default_rng(seed).normal(0, noise, shape)
    return GridVolume(np.asfortranarray(hu, dtype=np.float32), affine)


def known_pair(
    fixed_to_moving: np.ndarray | None = None,
    directions: np.ndarray | None = None,
    spacing=((1.0, 1.0, 5.0), (0.8, 0.8, 4.0)),
    noise: float = 0.0,
) -> Pair:
    """A CTP's mean (80 mm of the head, its ball enhanced) and an NCCT of the whole head."""
    truth = np.eye(4) if fixed_to_moving is None else fixed_to_moving
    fixed = image(*grid(spacing[0], (190.0, 220.0, 80.0)), np.eye(4), 1, noise, 180.0)
    moving = image(*grid(spacing[1], directions=directions), np.linalg.inv(truth), 2, noise, BALL_HU)
    return Pair(fixed, moving, truth)
