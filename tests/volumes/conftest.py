"""Heads for the tests: an analytic one, the CT template, and a real scan."""

from collections.abc import Callable
from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from perfusynth.volumes.volume import Volume


@dataclass(frozen=True, eq=False)
class Head:
    """A scan, where its brain truly is, and its voxels' RAS mm in the head's own frame ``(3, x, y, z)``."""

    ncct: Volume
    brain: np.ndarray
    own: np.ndarray


def make_head(
    spacing: tuple[float, float, float] = (1.5, 1.5, 5.0),
    shape: tuple[int, int, int] = (130, 150, 36),
    noise: float = 3.0,
    rotation: np.ndarray | None = None,
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0),
    padding: float = -1000.0,
) -> Head:
    """An ellipsoidal head, left-right symmetric about x = 0: scalp, skull, brain, ventricles, orbits, neck.

    ``rotation`` turns the head (3x3, RAS) about the middle of the volume, ``shift`` moves it (mm).
    """
    affine = np.diag([-spacing[0], spacing[1], spacing[2], 1.0])
    middle = (np.array(shape) - 1) / 2
    affine[:3, 3] = -affine[:3, :3] @ middle
    index = np.indices(shape, dtype=np.float32).reshape(3, -1)
    world = affine[:3, :3] @ index + affine[:3, 3:] - np.array(shift)[:, None]
    own = ((rotation if rotation is not None else np.eye(3)).T @ world).reshape(3, *shape).astype(np.float32)
    own[2] -= 4.0  # a little more room for the neck than above the vertex
    x, y, z = own

    def ball(radii: tuple[float, float, float], centre: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
        return sum(((a - c) / r) ** 2 for a, c, r in zip((x, y, z), centre, radii, strict=True)) < 1

    brain = ball((66, 84, 70)) & (z > -52 - 0.1 * np.abs(y + 30))
    skull = ball((73, 91, 77)) & (z > -62) & ~brain
    canal = (x**2 + (y + 30) ** 2 < 15**2) & (z <= -51)
    neck = (x**2 + (y + 20) ** 2 < 60**2) & (z <= -55)
    hu = np.full(shape, padding, dtype=np.float32)
    hu[ball((82, 100, 85)) & (z > -62)] = -100.0
    hu[ball((78, 96, 82)) & (z > -62)] = 45.0
    hu[neck] = 50.0
    hu[skull] = 900.0
    for side in (-1, 1):
        hu[ball((19, 24, 16), (32 * side, 80, -50)) & ~skull & ~brain] = -90.0
        hu[ball((12, 12, 12), (32 * side, 90, -50)) & ~skull & ~brain] = 15.0
    hu[(x**2 + (y + 30) ** 2 < 24**2) & (z <= -54) & (z > -75)] = 700.0
    hu[canal] = 30.0
    hu[brain] = 37.0
    hu[ball((60, 78, 64)) & brain] = 29.0
    for side in (-1, 1):
        hu[ball((7, 32, 12), (14 * side, 0, 12))] = 6.0
    blur = [0.8 / s for s in spacing]
    hu = ndimage.gaussian_filter(hu, blur)
    hu += np.random.default_rng(0).normal(0, noise, shape).astype(np.float32)
    return Head(Volume(hu, affine), brain, own)


@pytest.fixture(scope="session")
def head() -> Callable[..., Head]:
    """The maker of analytic heads, `make_head`."""
    return make_head


@pytest.fixture(scope="session")
def ge_ct(public_data) -> Volume:
    """A real head CT (oblique axes, 4 and 7 mm slices on a 2.6 mm grid)."""
    image = nib.load(public_data / "ge_ncct_tilt" / "ge_ncct_tiltcorr_0.98x0.98x2.62mm.nii.gz")
    return Volume(image.get_fdata(dtype=np.float32), image.affine, image.header)


@pytest.fixture(scope="session")
def template_ct(public_data) -> Volume:
    """The CT template of older adults with skull, brought from Cormack units to HU."""
    image = nib.load(public_data / "scct_template_priors" / "scct.nii.gz")
    c = image.get_fdata(dtype=np.float32)
    hu = np.where(c <= 900, c - 1024, np.where(c <= 3100, (c - 900) / 11 - 124, c - 3024))
    return Volume(hu, image.affine, image.header)
