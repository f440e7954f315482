"""Augmentation: what of a head could as well be otherwise, drawn anew each time that it is shown."""

from collections.abc import Mapping

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.training.config import AugmentationSettings
from perfusynth.training.heads import Head
from perfusynth.volumes.model_grid import AIR_HU

#: Share of a voxel that must be brain, or measured, after it was moved.
COUNTED_SHARE = 0.5


class Augmentation:
    """Alters heads; what is drawn depends on the random generator alone.

    Parameters
    ----------
    settings
        How far.
    spec
        Which volumes are images (the others are maps), and the grid.
    """

    def __init__(self, settings: AugmentationSettings, spec: GeneratorSpec):
        self._settings = settings
        self._images = [image.name for image in spec.inputs]
        self._hounsfield = [image.name for image in spec.inputs if image.unit == "HU"]
        self._spacing = np.array([spec.grid.spacing_mm, spec.grid.spacing_mm, spec.grid.slab_mm])

    def __call__(self, head: Head, rng: np.random.Generator) -> Head:
        """The head as it could as well have been."""
        s = self._settings
        if rng.random() < s.mirrored_share:
            head = mirrored(head)
        common = in_plane(
            np.radians(rng.uniform(-s.common_turn_deg, s.common_turn_deg)),
            1 + rng.uniform(-s.common_zoom, s.common_zoom),
        )
        apart = rigid(
            rng.uniform(0, s.shift_mm) * _direction(rng), np.radians(rng.uniform(0, s.turn_deg)) * _direction(rng)
        )
        if s.common_turn_deg or s.common_zoom or s.shift_mm or s.turn_deg:
            head = moved(head, self._images, common, apart @ common, self._spacing)
        return self._other_hounsfield(head, rng)

    def _other_hounsfield(self, head: Head, rng: np.random.Generator) -> Head:
        s = self._settings
        offset, gain = s.hu_offset * rng.standard_normal(), 1 + s.hu_gain * rng.standard_normal()
        noise_sd = rng.uniform(0, s.hu_noise)
        changed = dict(head.volumes)
        for name in self._hounsfield:
            inside = head.volumes[name][head.brain]  # no network is shown more than the brain
            noise = rng.standard_normal(inside.shape, dtype=np.float32)
            changed[name] = head.volumes[name].copy()
            changed[name][head.brain] = inside * np.float32(gain) + np.float32(offset) + np.float32(noise_sd) * noise
        return Head(head.name, changed, head.brain, head.valid)


def mirrored(head: Head) -> Head:
    """The head with left and right exchanged, in images, maps and masks alike."""
    volumes = {name: np.ascontiguousarray(array[::-1]) for name, array in head.volumes.items()}
    return Head(head.name, volumes, np.ascontiguousarray(head.brain[::-1]), np.ascontiguousarray(head.valid[::-1]))


def in_plane(turn: float, zoom: float) -> np.ndarray:
    """4x4 that turns by ``turn`` (radians, from x to y) and enlarges by ``zoom``, in plane, about the origin."""
    matrix = np.eye(4)
    matrix[:2, :2] = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return matrix


def rigid(shift_mm: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """4x4 of a turn about the origin (rotation vector, radians), then a shift (mm)."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    matrix[:3, 3] = shift_mm
    return matrix


def moved(
    head: Head, images: list[str], image_motion: np.ndarray, map_motion: np.ndarray, spacing_mm: np.ndarray
) -> Head:
    """Move images and maps, each by its own 4x4 in mm about the middle of the grid (``x_new = M x_old``).

    Linear interpolation out of the brain alone (maps: out of what was measured in it), so that neither bone nor the
    zeros around maps bleed in. The brain moves with the images; the maps are valid where something measured has come.
    Outside, images are air and maps 0.
    """
    in_brain = {name: head.volumes[name] for name in images}
    measured = {name: array for name, array in head.volumes.items() if name not in in_brain}
    new_images, share = _resampled(in_brain, head.brain, image_motion, spacing_mm)
    brain = share >= COUNTED_SHARE
    new_maps, share = _resampled(measured, head.brain & head.valid, map_motion, spacing_mm)
    valid = share >= COUNTED_SHARE
    volumes = {name: np.where(brain, array, np.float32(AIR_HU)) for name, array in new_images.items()}
    volumes |= {name: array * valid for name, array in new_maps.items()}
    return Head(head.name, volumes, brain, valid)


def _resampled(
    volumes: Mapping[str, np.ndarray], counted: np.ndarray, motion: np.ndarray, spacing_mm: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Volumes moved out of ``counted`` alone, and the share (0-1) of each voxel that came from there."""
    shape = counted.shape
    middle = (np.array(shape) - 1) / 2
    scale = np.diag([*spacing_mm, 1.0])
    centre = np.eye(4)
    centre[:3, 3] = -middle
    to_old = np.linalg.inv(centre) @ np.linalg.inv(scale) @ np.linalg.inv(motion) @ scale @ centre
    box = _box_after(counted, np.linalg.inv(to_old))
    weight = counted.astype(np.float32)
    stack = torch.from_numpy(np.stack([*(array * weight for array in volumes.values()), weight]))
    index = [torch.arange(part.start, part.stop, dtype=torch.float32) for part in box]
    places = []
    for axis in (2, 1, 0):  # grid_sample's order: the last axis first
        a = to_old[axis]
        at = a[0] * index[0][:, None, None] + a[1] * index[1][None, :, None] + a[2] * index[2][None, None, :] + a[3]
        places.append(at * (2 / max(1, shape[axis] - 1)) - 1)
    grid = torch.stack(places, dim=-1)[None].float()
    made = torch.nn.functional.grid_sample(stack[None], grid, mode="bilinear", align_corners=True)[0].numpy()
    share = np.zeros(shape, dtype=np.float32)
    share[box] = made[-1]
    inverse = 1 / np.maximum(made[-1], 1e-6)
    result = {}
    for name, values in zip(volumes, made[:-1], strict=True):
        result[name] = np.zeros(shape, dtype=np.float32)
        result[name][box] = values * inverse
    return result, share


def _box_after(counted: np.ndarray, to_new: np.ndarray) -> tuple[slice, slice, slice]:
    """The voxels that what counts can reach: the bounding box of its own box's moved corners."""
    if not counted.any():
        return (slice(0, 0),) * 3
    ends = []
    for axis in range(3):
        inside = np.flatnonzero(counted.any(axis=tuple(a for a in range(3) if a != axis)))
        ends.append((inside[0] - 1.0, inside[-1] + 1.0))
    corners = np.stack(np.meshgrid(*ends, indexing="ij")).reshape(3, -1)
    new = to_new[:3, :3] @ corners + to_new[:3, 3:]
    low = np.clip(np.floor(new.min(axis=1)), 0, counted.shape).astype(int)
    high = np.clip(np.ceil(new.max(axis=1)) + 1, 0, counted.shape).astype(int)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))  # type: ignore[return-value]


def _direction(rng: np.random.Generator) -> np.ndarray:
    """A direction in space, all alike."""
    drawn = rng.standard_normal(3)
    return drawn / np.linalg.norm(drawn)
