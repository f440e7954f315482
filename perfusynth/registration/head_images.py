"""What of a head CT is registered: padding out, blocks averaged, HU cut; and the region of the skull and its inside."""

import numpy as np
from scipy import ndimage

from perfusynth.registration.registration_settings import RegistrationSettings
from perfusynth.volumes.blocks import block_factors, block_mean
from perfusynth.volumes.geometry import nearest_ras
from perfusynth.volumes.volume import Volume

#: HU of air, which takes the place of padding.
AIR_HU = -1000.0
#: The most that a CT image holds (extended scales, metal).
DENSEST_HU = 32767.0
#: One value that fills so much of the image's faces is padding, whatever it is: noise leaves no two voxels alike. [d]
PADDING_SHARE = 0.02
#: Size of the blocks that the region is found on, mm, and radius of what is closed in the skull of a slice, mm. [d]
REGION_MM, CLOSING_MM = 4.0, 16.0
#: Without any bone the region is the largest piece of what is denser than this, HU. [d]
TISSUE_HU = -200.0


def prepared(volume: Volume, settings: RegistrationSettings) -> Volume:
    """The image without padding, axes nearest to RAS, fine voxels averaged: 80 million take 4 s of a core, not 11."""
    held = volume.with_array(_held(volume.array))
    return without_padding(nearest_ras(block_mean(held, block_factors(volume.spacing, settings.finest_mm))))


def without_padding(volume: Volume) -> Volume:
    """Padding is air: values below air, NaN, and one value that fills the border (0 outside a round field of view)."""
    array = _held(volume.array)
    faces = np.concatenate([array[[0, -1]].ravel(), array[:, [0, -1]].ravel()])
    values, counts = np.unique(faces, return_counts=True)
    common = values[counts.argmax()]
    if common > AIR_HU / 2 and counts.max() >= PADDING_SHARE * faces.size:
        labels, _ = ndimage.label(array == common)
        outside = np.unique(np.concatenate([labels[[0, -1]].ravel(), labels[:, [0, -1]].ravel()]))
        array[np.isin(labels, outside[outside > 0])] = AIR_HU
    return volume.with_array(array)


def _held(array: np.ndarray) -> np.ndarray:
    """A copy with nothing below air or beyond what CT images hold."""
    return np.fmin(np.fmax(array, np.float32(AIR_HU)), np.float32(DENSEST_HU))


def window(volume: Volume, low_hu: float, high_hu: float, block_mm: float) -> Volume:
    """HU between two values, averaged to blocks of about ``block_mm``."""
    return block_mean(
        volume.with_array(np.clip(volume.array, low_hu, high_hu)), block_factors(volume.spacing, block_mm)
    )


def smoothed(volume: Volume, sigma_mm: float, least_voxels: float = 0.0) -> Volume:
    """Gaussian of an SD in mm, at least so many voxels along each axis."""
    sigma = np.maximum(sigma_mm / volume.spacing, least_voxels)
    return volume.with_array(ndimage.gaussian_filter(volume.array, sigma, mode="nearest", truncate=3.0))


def head_region(volume: Volume, settings: RegistrationSettings) -> Volume:
    """The skull, all that it encloses slice by slice along z, and what lies near: 1 inside, on a grid of coarse blocks.

    A headrest, tubes and the air around the head would speak for wrong places; the skin's outline speaks for right
    ones. Where there is no bone (a scan above the skull, a map) the largest piece of tissue takes its place.
    """
    coarse = window(volume, AIR_HU, settings.dense_hu, REGION_MM)
    piece = _large_pieces(coarse.array > settings.bone_hu, settings.component_share)
    if not piece.any():
        piece = _large_pieces(coarse.array > TISSUE_HU, 1.0)
    reach = max(1, round(CLOSING_MM / float(coarse.spacing[:2].mean())))
    piece = np.pad(piece, ((reach, reach), (reach, reach), (0, 0)))
    for k in range(piece.shape[2]):
        piece[..., k] = ndimage.binary_fill_holes(ndimage.binary_closing(piece[..., k], iterations=reach))
    piece = piece[reach:-reach, reach:-reach]
    if not piece.any():
        return coarse.with_array(np.ones(coarse.shape))
    near = ndimage.distance_transform_edt(~piece, sampling=coarse.spacing) <= settings.around_mm
    return coarse.with_array(near)


def on_grid(region: Volume, grid: Volume) -> np.ndarray:
    """A region of another grid on this one, bool; what lies outside that grid is not in it."""
    index = np.linalg.inv(region.affine) @ grid.affine
    found = ndimage.affine_transform(
        region.array,
        index[:3, :3],
        index[:3, 3],
        output_shape=grid.shape,
        order=1,
        mode="grid-constant",  # half a voxel beyond the outermost centres still belongs to the region
        output=np.float32,
    )
    return found >= 0.5 - 1e-6


def _large_pieces(mask: np.ndarray, share: float) -> np.ndarray:
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.isin(labels, np.flatnonzero(sizes >= max(1.0, share * sizes.max())))
