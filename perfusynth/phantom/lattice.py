"""Regular lattices in template space (MNI mm), smooth random fields on them, and sampling at arbitrary points."""

import zlib
from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Lattice:
    """An axis-aligned lattice in MNI mm: ``start`` is the centre of voxel 0, ``step_mm`` the isotropic spacing."""

    start: tuple[float, float, float]
    step_mm: float
    shape: tuple[int, int, int]

    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions (mm) along x, y, z, shaped to broadcast to ``shape``."""
        x, y, z = (
            s + self.step_mm * np.arange(n, dtype=np.float32) for s, n in zip(self.start, self.shape, strict=True)
        )
        return x[:, None, None], y[None, :, None], z[None, None, :]

    def coarser(self, step_mm: float) -> "Lattice":
        """A lattice over the same box with another spacing."""
        shape = tuple(int(np.ceil((n - 1) * self.step_mm / step_mm)) + 1 for n in self.shape)
        return Lattice(self.start, step_mm, shape)  # type: ignore[arg-type]

    def index(self, points: np.ndarray) -> np.ndarray:
        """Fractional voxel indices of MNI points; both of shape ``(3, n)``."""
        start = np.asarray(self.start, dtype=np.float32)[:, None]
        return (points - start) * np.float32(1 / self.step_mm)


#: Everything inside the skull.
BRAIN = Lattice((-80.0, -116.0, -76.0), 2.0, (81, 101, 84))
#: The whole head with face and upper neck.
HEAD = Lattice((-112.0, -142.0, -130.0), 2.0, (113, 128, 124))
#: Fields that vary over a centimetre.
BRAIN_COARSE = BRAIN.coarser(4.0)


def stream(seed: int, name: str) -> np.random.Generator:
    """A generator of random numbers for one purpose, so that changing one draw leaves all others as they were."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def clipped_normal(rng: np.random.Generator, mean: float, sd: float, width: float = 2.5) -> float:
    """A normal draw whose deviation is held within ``width`` SD."""
    return float(mean + sd * np.clip(rng.standard_normal(), -width, width))


def sample(field: np.ndarray, lattice: Lattice, points: np.ndarray, outside: float = 0.0) -> np.ndarray:
    """Trilinear values of ``field`` (on ``lattice``) at MNI points ``(3, n)``; float32 ``(n,)``."""
    return ndimage.map_coordinates(
        field, lattice.index(points), order=1, mode="constant", cval=outside, output=np.float32, prefilter=False
    )


def linear_weights(source_n: int, position: np.ndarray) -> np.ndarray:
    """Matrix ``(len(position), source_n)`` of linear interpolation at fractional indices, edge values held."""
    position = np.clip(position, 0, source_n - 1)
    return np.clip(1 - np.abs(position[:, None] - np.arange(source_n)[None]), 0, None).astype(np.float32)


def upsample(field: np.ndarray, source: Lattice, target: Lattice) -> np.ndarray:
    """Linear interpolation from one lattice to another over the same or a smaller box."""
    result = np.asarray(field, dtype=np.float32)
    for axis in range(3):
        at = target.start[axis] + target.step_mm * np.arange(target.shape[axis])
        weights = linear_weights(source.shape[axis], (at - source.start[axis]) / source.step_mm)
        result = np.moveaxis(np.tensordot(weights, result, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(result)


def smooth_field(rng: np.random.Generator, lattice: Lattice, sigma_mm: float) -> np.ndarray:
    """A Gaussian random field on ``lattice``: mean 0, SD 1, white noise smoothed by a Gaussian of ``sigma_mm``."""
    coarse = lattice.coarser(max(lattice.step_mm, sigma_mm / 1.5))
    margin = 6  # voxels of extra noise, so that the field is stationary up to the edge
    white = rng.standard_normal(tuple(n + 2 * margin for n in coarse.shape), dtype=np.float32)
    sigma = sigma_mm / coarse.step_mm
    kernel = ndimage.gaussian_filter1d(np.eye(1, 61, 30)[0], sigma)
    gain = float((kernel**2).sum()) ** 1.5
    field = ndimage.gaussian_filter(white, sigma)[margin:-margin, margin:-margin, margin:-margin] / np.float32(gain)
    return upsample(field, coarse, lattice)
