"""Heads that pairs are made from, without noise on a fine grid: digital patients, and one real head CT."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from scipy import ndimage

from perfusynth.phantom.ct.cta import noise_free_cta
from perfusynth.phantom.ct.ncct import noise_free_ncct
from perfusynth.phantom.ct.scanners import CTA_PROTOCOL
from perfusynth.phantom.grid import Grid, brain_extent
from perfusynth.phantom.lattice import stream
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.public_data import public_data
from perfusynth.readers.read import read_scan
from perfusynth.volumes.builtin_brain import BuiltinBrain

#: The fine grid, mm: spacing, width to the right and to the front, and what it keeps below and above the brain.
FINE_MM, WIDTH_MM, MARGIN_MM = 1.0, (210.0, 250.0), (40.0, 30.0)
#: The real head among the names of heads; all others are seeds of digital patients.
REAL = "ge_ncct_tilt"
#: The real head has no contrast medium of its own: blush of its tissue and of its vessels, HU, and their width, mm [d].
BLUSH_HU, VESSEL_HU, VESSEL_MM = 7.0, 200.0, 2.0
#: HU outside what was scanned.
AIR_HU = -1000


@dataclass(frozen=True, eq=False)
class Head:
    """A head in its own frame, RAS mm.

    Parameters
    ----------
    name
        `REAL`, or the digital patient's seed.
    plain
        HU without contrast medium and noise, int16 ``(x, y, z)``.
    enhancement
        HU that contrast medium in the arterial phase adds, int16, same shape.
    brain
        What lies inside the skull, bool, same shape.
    affine
        4x4, voxel to RAS mm.
    """

    name: str
    plain: np.ndarray
    enhancement: np.ndarray
    brain: np.ndarray
    affine: np.ndarray

    @cached_property
    def brain_points(self) -> np.ndarray:
        """RAS mm of the brain's voxels, ``(n, 3)``."""
        return np.argwhere(self.brain) @ self.affine[:3, :3].T + self.affine[:3, 3]


def _fine_grid(low: np.ndarray, high: np.ndarray) -> Grid:
    """The fine grid over a head whose brain lies between two corners."""
    size = np.array([*WIDTH_MM, high[2] - low[2] + sum(MARGIN_MM)])
    affine = np.diag([FINE_MM, FINE_MM, FINE_MM, 1.0])
    affine[:3, 3] = [*((low + high)[:2] - size[:2]) / 2, low[2] - MARGIN_MM[0]]
    return Grid(tuple(int(n) for n in np.ceil(size / FINE_MM)), affine, FINE_MM)  # type: ignore[arg-type]


@lru_cache(maxsize=8)
def head_named(name: str) -> Head:
    """The head of that name, rendered or read (some seconds) and kept."""
    return _real() if name == REAL else _digital(int(name))


def _digital(seed: int) -> Head:
    scene = scene_of(draw_patient(seed))
    grid = _fine_grid(*brain_extent(scene.patient))
    # One scanner for both, so that they differ by contrast medium alone.
    plain, brain = noise_free_ncct(scene, grid, CTA_PROTOCOL)
    enhanced, _ = noise_free_cta(scene, grid, CTA_PROTOCOL)
    return Head(str(seed), _whole(plain), _whole(enhanced - plain), brain, grid.affine)


def _real() -> Head:
    scan = read_scan(public_data(REAL)).volume
    mask = BuiltinBrain().extract(scan).mask
    inside = np.argwhere(mask) @ scan.affine[:3, :3].T + scan.affine[:3, 3]
    grid = _fine_grid(inside.min(axis=0), inside.max(axis=0))
    to_scan = np.linalg.inv(scan.affine) @ grid.affine

    def on_fine_grid(array: np.ndarray, outside: float) -> np.ndarray:
        return ndimage.affine_transform(
            array, to_scan[:3, :3], to_scan[:3, 3], output_shape=grid.shape, order=1, cval=outside
        )

    brain = on_fine_grid(mask.astype(np.float32), 0.0) > 0.5
    head = Head(REAL, _whole(on_fine_grid(scan.array, AIR_HU)), np.zeros(grid.shape, np.int16), brain, grid.affine)
    return replace(head, enhancement=_made_up_enhancement(brain))


def _made_up_enhancement(brain: np.ndarray) -> np.ndarray:
    """A smooth blush and winding vessels inside a brain, HU: two smooth random fields are both 0 along curves."""
    rng = stream(0, "contrast of a real head")

    def smooth(width_mm: float) -> np.ndarray:
        field = ndimage.gaussian_filter(rng.standard_normal(brain.shape, dtype=np.float32), width_mm / FINE_MM)
        return field / field.std()

    first, second = smooth(8.0), smooth(8.0)
    # The fields change by about 1 / 8 a mm: so near to 0 is so near to the curve.
    near = np.hypot(first, second) * 8.0 / VESSEL_MM
    added = BLUSH_HU * np.clip(1 + 0.5 * smooth(15.0), 0, None) + VESSEL_HU * np.exp(-(near**2))
    return _whole(added * brain)


def _whole(hu: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(hu, AIR_HU, 3071)).astype(np.int16)
