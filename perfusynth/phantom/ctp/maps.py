"""Perfusion maps as a scanner measures them: tissue curves, the measurement's point spread and noise, deconvolution."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from perfusynth.perfusion.deconvolution.deconvolve import deconvolve
from perfusynth.perfusion.deconvolution.inverse import retained_basis
from perfusynth.perfusion.deconvolution.settings import DeconvolutionSettings
from perfusynth.phantom.ct.noise import noise_factor
from perfusynth.phantom.ctp.kinetics import TissueCurves, bolus_of, tissue_curves
from perfusynth.phantom.ctp.protocols import Protocol, coverage
from perfusynth.phantom.ctp.traits import CirculationTraits
from perfusynth.phantom.grid import Grid, Planes, planes_of
from perfusynth.phantom.head.atlas import FORAMEN_MAGNUM_Z
from perfusynth.phantom.lattice import BRAIN, HEAD, linear_weights, sample, stream
from perfusynth.phantom.scene import Scene

#: In-plane distance of the voxels whose curves are deconvolved, mm: maps are smoother than that.
WORKING_MM = 2.4
#: Flow below which a point has no curve of its own, mL/100 g/min.
FLOW_MIN = 0.2
#: Share of CSF, after the point spread, above which maps show 0: perfusion software masks fluid by its density.
CSF_MASK_SHARE = 0.5
#: Least share of brain under the smoothing kernel by which curves at the brain's edge are scaled up.
EDGE_SHARE_MIN = 0.2
#: Share of an interpolated voxel that must have been deconvolved.
SHOWN_MIN = 0.05
#: Power to which the local noise of 120 kV, relative to its mean in the brain, is raised at 80 kV: softer rays lose
#: more on long paths [d].
PATH_POWER_80KV = 1.4
#: Voxels of the large artery over which the arterial input is averaged [d].
AIF_VOXELS = 9
#: How the patients' maps are deconvolved.
DECONVOLUTION = DeconvolutionSettings()
#: Limits of Tmax, s, as the patients' maps show it.
TMAX_LIMITS_S = (0.0, 16.0)


@dataclass(frozen=True, eq=False)
class MeasuredMaps:
    """Maps on a grid, float32: ``tmax, mtt`` [s], ``cbf`` [mL/100 g/min], ``cbv`` [mL/100 g]; 0 outside the brain.

    ``valid`` (bool) is where the protocol images the head.
    """

    tmax: np.ndarray
    cbf: np.ndarray
    cbv: np.ndarray
    mtt: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True, eq=False)
class BrainCurves:
    """Enhancement inside a grid's brain columns.

    Parameters
    ----------
    curves
        HU, float32 ``(x, y, z, frames)``.
    csf
        Share of CSF, and ``inside`` the signed distance (mm, < 0 inside) to the inner table, both ``(x, y, z)``.
    """

    columns: tuple[slice, slice]
    curves: np.ndarray
    csf: np.ndarray
    inside: np.ndarray


@lru_cache(maxsize=4)
def curve_table(circulation: CirculationTraits, protocol: Protocol) -> TissueCurves:
    """The patient's table of tissue curves at the protocol's frames."""
    return tissue_curves(bolus_of(circulation, protocol.duration_s), protocol.times_s)


def working_grid(grid: Grid) -> Grid:
    """A grid over the same field of view with in-plane voxels of about `WORKING_MM`; the same slabs."""
    shape = [max(2, round(n * s / WORKING_MM)) for n, s in zip(grid.shape[:2], grid.spacing[:2], strict=True)]
    return grid.resized((shape[0], shape[1], grid.shape[2]))


def _plane_curves(scene: Scene, planes: Planes, table: TissueCurves) -> np.ndarray:
    """Mean curves of the slabs' planes, HU, ``(x, y, slabs, frames)``."""
    fields = scene.haemodynamics
    points = planes.points.reshape(3, -1)
    cbf = sample(fields.cbf, BRAIN, points)
    # A voxel's planes are neighbours in the array: curves are computed for voxels of which any plane has flow.
    voxels = np.flatnonzero((cbf.reshape(-1, planes.per_slab) > FLOW_MIN).any(axis=1))
    rows = (voxels[:, None] * planes.per_slab + np.arange(planes.per_slab)).ravel()
    points, cbf = points[:, rows], np.maximum(cbf[rows], 0)
    cbv, delay, dispersion = (sample(f, BRAIN, points) for f in (fields.cbv, fields.delay_s, fields.dispersion_s))
    mtt = 60 * cbv / np.maximum(cbf, FLOW_MIN)
    shape = (*planes.points.shape[1:3], planes.points.shape[3] // planes.per_slab)
    curves = np.zeros((int(np.prod(shape)), table.table.shape[1]), dtype=np.float32)
    curves[voxels] = table(cbf, mtt, dispersion, delay, planes.per_slab)
    return curves.reshape(*shape, -1)


def brain_curves(scene: Scene, grid: Grid, table: TissueCurves) -> BrainCurves:
    """Curves without noise, averaged over each voxel's slab, on ``grid`` (in the head's frame)."""
    curves, csf, inside = [], [], []
    columns = (slice(0, 0), slice(0, 0))
    for planes in planes_of(scene.placement, grid, brain_only=True):
        columns = planes.columns
        centres = planes.centres(scene.placement, grid)
        flat = centres.reshape(3, -1)
        beyond = np.maximum(sample(scene.skull.beyond, HEAD, flat, outside=120.0), FORAMEN_MAGNUM_Z - flat[2])
        curves.append(_plane_curves(scene, planes, table))
        csf.append(sample(scene.tissue.csf, BRAIN, flat, outside=1.0).reshape(centres.shape[1:]))
        inside.append(beyond.reshape(centres.shape[1:]))
    return BrainCurves(columns, *(np.concatenate(parts, axis=2) for parts in (curves, csf, inside)))


def _gaussian_matrix(n: int, sigma: float) -> np.ndarray:
    """Matrix ``(n, n)`` that smooths by a Gaussian (sigma in samples); nothing lies beyond the ends."""
    apart = np.arange(n)[:, None] - np.arange(n)[None]
    kernel = np.exp(-0.5 * (apart / max(sigma, 1e-3)) ** 2)
    full = np.exp(-0.5 * (np.arange(-n, n + 1) / max(sigma, 1e-3)) ** 2).sum()
    return (kernel / full).astype(np.float32)


def _smoothed(values: np.ndarray, spacing_mm: np.ndarray, protocol: Protocol, slab_mm: float) -> np.ndarray:
    """``values`` ``(x, y, z, k)`` after the measurement's point spread in plane, and along z where slices are thick."""
    in_plane, across = protocol.smoothing_sigma_mm
    across = np.sqrt(across**2 + max(protocol.slice_mm**2 - slab_mm**2, 0) / 12)
    x, y, z = (
        _gaussian_matrix(n, s / d)
        for n, s, d in zip(values.shape, (in_plane, in_plane, across), spacing_mm, strict=False)
    )
    result = (x @ values.reshape(values.shape[0], -1)).reshape(values.shape)
    result = np.matmul(y, result.reshape(*values.shape[:2], -1)).reshape(values.shape)
    return np.matmul(z, result)


def working_noise_sd(protocol: Protocol, spacing_mm: np.ndarray, slab_mm: float) -> float:
    """SD, in HU, of one frame's native noise averaged over working voxels, between which it is then independent."""
    # White noise smoothed by sigma has the autocorrelation of a Gaussian of sqrt(2) sigma: its integral per axis.
    length = 2 * np.sqrt(np.pi) * protocol.noise_sigma_mm
    area = min(1.0, length**2 / (spacing_mm[0] * spacing_mm[1]))
    return float(protocol.noise_sd_hu * np.sqrt(area * protocol.slice_mm / slab_mm))


def local_noise(scene: Scene, grid: Grid) -> np.ndarray:
    """SD of a frame's noise relative to its mean in the brain, float32, on ``grid``: more at the base, less above."""
    return noise_factor(scene.placement, grid).astype(np.float32) ** np.float32(PATH_POWER_80KV)


def measured_aif(scene: Scene, protocol: Protocol, noise_seed: int, *, noise: bool = True) -> np.ndarray:
    """Arterial input as read in a large open artery and corrected for partial volume: the true one, with noise, HU."""
    aif = bolus_of(scene.patient.circulation, protocol.duration_s).aif_at(protocol.times_s)
    if noise:
        sd = protocol.noise_sd_hu / np.sqrt(AIF_VOXELS)
        aif = aif + sd * stream(noise_seed, f"AIF {protocol.name}").standard_normal(len(aif))
    return aif


def measured_maps(
    scene: Scene,
    grid: Grid,
    protocol: Protocol,
    noise_seed: int,
    *,
    noise: bool = True,
    deconvolution: DeconvolutionSettings = DECONVOLUTION,
) -> MeasuredMaps:
    """Tmax, CBF, CBV and MTT as deconvolved from a perfusion study of the patient, on ``grid`` (in the head's frame).

    Motion is taken as corrected, and large vessels as masked out. ``noise_seed`` seeds all that differs between two
    studies of one patient by one protocol.
    """
    working = working_grid(grid)
    aif = measured_aif(scene, protocol, noise_seed, noise=noise)
    # Curves are carried as their coefficients in what deconvolution retains of them: fewer than the frames.
    basis = retained_basis(aif, protocol.frame_s, deconvolution).astype(np.float32)
    table = curve_table(scene.patient.circulation, protocol)
    found = brain_curves(scene, working, TissueCurves(table.table @ basis.T))
    curves = found.curves
    if noise:
        rng = stream(noise_seed, f"perfusion noise {protocol.name}")
        sd = np.float32(working_noise_sd(protocol, working.spacing, working.slab_mm))
        local = sd * local_noise(scene, working)[(*found.columns, slice(None), None)]
        curves += local * rng.standard_normal(curves.shape, dtype=np.float32)
    curves = _smoothed(curves, working.spacing, protocol, working.slab_mm)
    share = (found.inside < 0).astype(np.float32)
    share, csf = np.moveaxis(
        _smoothed(np.stack([share, share * found.csf], axis=3), working.spacing, protocol, working.slab_mm), 3, 0
    )
    # Bone and air beyond the brain's edge carry no curve: what is left of the kernel is scaled up.
    share = np.maximum(share, EDGE_SHARE_MIN)
    shown = (found.inside < WORKING_MM) & (csf / share < CSF_MASK_SHARE)
    values = deconvolve((curves[shown] / share[shown][:, None]) @ basis, aif, protocol.frame_s, deconvolution)
    volumes = np.zeros((6, *shown.shape), dtype=np.float32)
    for k, name in enumerate(("tmax", "cbf", "cbv")):
        volumes[k][shown] = values[name]
    volumes[0] = np.clip(volumes[0], *TMAX_LIMITS_S)
    volumes[3:] = shown, found.inside, csf / share
    return _on_grid(scene, volumes, found.columns, working, grid, protocol)


def in_plane_weights(
    columns: tuple[slice, slice], working: Grid, grid: Grid
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[slice, slice]]:
    """Linear interpolation in plane from a working grid's ``columns``: a matrix each axis, and the grid's columns."""
    weights, where = [], []
    for axis in (0, 1):
        ratio = grid.shape[axis] / working.shape[axis]
        first, last = int(np.ceil(columns[axis].start * ratio)), int(columns[axis].stop * ratio)
        position = (np.arange(first, last) + 0.5) / ratio - 0.5 - columns[axis].start
        weights.append(linear_weights(columns[axis].stop - columns[axis].start, position))
        where.append(slice(first, last))
    return (weights[0], weights[1]), (where[0], where[1])


def _on_grid(
    scene: Scene, volumes: np.ndarray, columns: tuple[slice, slice], working: Grid, grid: Grid, protocol: Protocol
) -> MeasuredMaps:
    """Interpolate from the working grid in plane, and mask to brain, tissue and coverage."""
    weights, where = in_plane_weights(columns, working, grid)
    fine = np.matmul(weights[1], np.tensordot(weights[0], volumes, axes=(1, 1)))  # (X, k, Y, z)
    tmax, cbf, cbv, shown, inside, csf = np.moveaxis(fine, 1, 0)
    x, y, z = (grid.affine[2, k] * np.arange(grid.shape[k]) for k in range(3))
    height = x[:, None, None] + y[None, :, None] + z + grid.affine[2, 3]
    low, high = coverage(scene.patient, protocol)
    valid = (height >= low) & (height <= high)
    at = (*where, slice(None))
    mask = (inside < 0) & (csf < CSF_MASK_SHARE) & (shown > SHOWN_MIN) & valid[at]
    scale = np.where(mask, 1 / np.maximum(shown, SHOWN_MIN), 0).astype(np.float32)
    maps = {}
    for name, values in (("tmax", tmax), ("cbf", cbf), ("cbv", cbv)):
        maps[name] = np.zeros(grid.shape, dtype=np.float32)
        maps[name][at] = values * scale
    mtt = np.where(maps["cbf"] > 0, 60 * maps["cbv"] / np.maximum(maps["cbf"], 1e-3), 0).astype(np.float32)
    return MeasuredMaps(**maps, mtt=mtt, valid=valid)
