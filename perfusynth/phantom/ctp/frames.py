"""The perfusion study itself: a 4-D series in HU with enhancing tissue and vessels, noise and head motion."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from perfusynth.phantom.ct.ncct import HU_LIMITS, noise_free_ncct
from perfusynth.phantom.ct.scanners import SOFT_AUTOCORRELATION, Scanner
from perfusynth.phantom.ctp.kinetics import bolus_of
from perfusynth.phantom.ctp.maps import brain_curves, curve_table, in_plane_weights, local_noise, working_grid
from perfusynth.phantom.ctp.motion import MotionGrade, draw_motion, still
from perfusynth.phantom.ctp.protocols import Protocol, native_ctp_grid
from perfusynth.phantom.ctp.vessels import VesselCurves, vessel_curves
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.lattice import stream
from perfusynth.phantom.scene import Scene

#: Bone is brighter at 80 kV than at 120 kV by this factor above soft tissue, HU [d].
BONE_FACTOR_80KV, SOFT_TISSUE_HU = 1.35, 80.0
#: Factor on beam hardening at 80 kV, and width of an edge of the soft kernel, mm [d].
BEAM_HARDENING, EDGE_MM = 1.3, 1.3
#: Slices beyond both ends of the coverage that motion can bring into view.
MARGIN_SLICES = 2


@dataclass(frozen=True, eq=False)
class PerfusionSeries:
    """A perfusion study in the head's frame.

    Parameters
    ----------
    hu
        int16 ``(x, y, z, frames)``.
    affine
        4x4, voxel to RAS mm.
    times_s
        ``(frames,)``.
    transforms
        ``(frames, 4, 4)``, RAS mm: from the head at rest (the frame of all maps) to where it lay in each frame.
    motion
        Grade of the head's motion.
    """

    hu: np.ndarray
    affine: np.ndarray
    times_s: np.ndarray
    transforms: np.ndarray
    motion: MotionGrade


def _scanner(protocol: Protocol) -> Scanner:
    return Scanner(
        protocol.name,
        0.0,
        SOFT_AUTOCORRELATION,
        protocol.pixel_mm,
        protocol.matrix,
        protocol.slice_mm,
        protocol.slice_mm,
        beam_hardening=BEAM_HARDENING,
        edge_mm=EDGE_MM,
    )


def _with_margin(grid: Grid) -> Grid:
    affine = grid.affine.copy()
    affine[:3, 3] -= MARGIN_SLICES * affine[:3, 2]
    return Grid((*grid.shape[:2], grid.shape[2] + 2 * MARGIN_SLICES), affine, grid.slab_mm)


class _Head:
    """The head at rest on a grid at any frame, HU."""

    def __init__(self, scene: Scene, grid: Grid, protocol: Protocol):
        static, _ = noise_free_ncct(scene, grid, _scanner(protocol))
        self.static = static + (BONE_FACTOR_80KV - 1) * np.clip(static - SOFT_TISSUE_HU, 0, None)
        working = working_grid(grid)
        found = brain_curves(scene, working, curve_table(scene.patient.circulation, protocol))
        self.curves = np.moveaxis(found.curves, 3, 0).copy()
        self.weights, self.where = in_plane_weights(found.columns, working, grid)
        bolus = bolus_of(scene.patient.circulation, protocol.duration_s)
        self.vessels: VesselCurves = vessel_curves(scene, grid, bolus)
        self.times_s = protocol.times_s

    def at(self, frame: int) -> np.ndarray:
        """HU in one frame, float32."""
        hu = self.static.copy()
        tissue = np.matmul(self.weights[1], np.tensordot(self.weights[0], self.curves[frame], axes=(1, 0)))
        hu[(*self.where, slice(None))] += tissue
        hu.ravel()[self.vessels.at] += self.vessels.enhancement(float(self.times_s[frame]))
        return hu


def _moved(hu: np.ndarray, affine: np.ndarray, transform: np.ndarray) -> np.ndarray:
    """An image of the head at rest resampled to where the head lies."""
    index = np.linalg.inv(affine) @ np.linalg.inv(transform) @ affine
    return ndimage.affine_transform(hu, index[:3, :3], index[:3, 3], order=1, mode="nearest")


def _noise(rng: np.random.Generator, shape: tuple[int, ...], protocol: Protocol) -> np.ndarray:
    """One frame's noise, HU: white noise smoothed in plane, of the protocol's SD."""
    sigma = protocol.noise_sigma_mm / protocol.pixel_mm
    field = rng.standard_normal(shape, dtype=np.float32)
    for axis in (0, 1):
        field = ndimage.gaussian_filter1d(field, sigma, axis=axis, mode="wrap")
    kernel = ndimage.gaussian_filter1d(np.eye(1, 41, 20)[0], sigma)
    return np.float32(protocol.noise_sd_hu / float((kernel**2).sum())) * field


def render_series(scene: Scene, protocol: Protocol, noise_seed: int, *, noise: bool = True) -> PerfusionSeries:
    """The 4-D series of a patient on the protocol's own grid, frame by frame.

    ``noise_seed`` seeds the noise; how the head moves belongs to the patient.
    """
    grid, times = native_ctp_grid(scene.patient, protocol), protocol.times_s
    motion = draw_motion(scene.patient, times) if protocol.motion == "drawn" else still(times)
    wide = _with_margin(grid)
    head = _Head(scene, wide, protocol)
    local = local_noise(scene, grid) if noise else np.float32(0)
    series = np.empty((*grid.shape, len(times)), dtype=np.int16)
    inner = slice(MARGIN_SLICES, MARGIN_SLICES + grid.shape[2])
    for frame, transform in enumerate(motion.transforms):
        hu = head.at(frame)
        if not np.array_equal(transform, np.eye(4)):
            hu = _moved(hu, wide.affine, transform)
        hu = hu[:, :, inner]
        if noise:
            rng = stream(noise_seed, f"perfusion frame {protocol.name} {frame}")
            hu = hu + local * _noise(rng, grid.shape, protocol)
        series[..., frame] = np.rint(np.clip(hu, *HU_LIMITS))
    return PerfusionSeries(series, grid.affine, times, motion.transforms, motion.grade)
