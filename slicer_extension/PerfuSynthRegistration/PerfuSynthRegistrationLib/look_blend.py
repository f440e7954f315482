"""Two images in one picture: as squares in turn, or subtracted; both as bytes of their own window."""

from __future__ import annotations

import numpy as np
from PerfuSynthLib.grid_volume import GridVolume

from .look_settings import FIXED_BRIGHTER, MOVING_BRIGHTER

#: Highest value of a blended picture, and of a difference: 0 and 255 are the largest differences, 128 is none.
DIFFERENCE_STEPS = 255
#: A blend need not be finer than this in its slices, mm: it is computed at every step of a drag. [d]
FINEST_MM = 0.8


def blend_grid(fixed: GridVolume) -> GridVolume:
    """The fixed image on the grid that blends are made on: its own, every second (third, ...) voxel of fine ones."""
    strides = [max(1, int(FINEST_MM / spacing)) for spacing in fixed.spacing]
    scaled = np.diag([*(float(stride) for stride in strides), 1.0])
    return GridVolume(
        np.asfortranarray(fixed.array[tuple(slice(None, None, s) for s in strides)]), fixed.affine @ scaled
    )


def shown_as_bytes(array: np.ndarray, window_level: tuple[float, float]) -> np.ndarray:
    """Values as the display shows them: uint8, 0 at the window's lower end, 255 at its upper one."""
    window, level = window_level
    scaled = array.astype(np.float32)
    scaled -= level - window / 2
    scaled *= 255.0 / max(window, 1e-6)
    np.clip(scaled, 0, 255, out=scaled)
    return scaled.astype(np.uint8)


def checkerboard(fixed: np.ndarray, moved: np.ndarray, spacing: tuple[float, ...], side_mm: float) -> np.ndarray:
    """Cubes of both pictures in turn; the cube at the grid's middle has its centre there."""
    turns = np.zeros((1, 1, 1), bool)
    for axis, size in enumerate(fixed.shape):
        places = (np.arange(size) - (size - 1) / 2) * spacing[axis]
        number = np.floor(places / side_mm + 0.5).astype(int) % 2 == 1
        turns = turns ^ number.reshape([-1 if other == axis else 1 for other in range(3)])
    return np.where(turns, moved, fixed)


def difference(fixed: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Half of moved minus fixed, uint8 around 128: of values in a window, so that bone on bone is no difference."""
    return ((moved.astype(np.int16) - fixed + 256) >> 1).astype(np.uint8)


def difference_colours() -> np.ndarray:
    """RGBA (256, 4) of `difference`: black without one, the brighter image's colour at the largest."""
    share = (np.arange(256) - 128) / 128.0
    colours = np.ones((256, 4))
    for sign, colour in ((1, MOVING_BRIGHTER), (-1, FIXED_BRIGHTER)):
        chosen = share * sign >= 0
        colours[chosen, :3] = np.abs(share[chosen])[:, None] * np.array(colour)
    return colours
