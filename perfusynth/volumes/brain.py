"""The seam behind which a brain is found: the built-in method here, other programs in `perfusynth.brain_structures`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.volumes.volume import Volume


@dataclass(frozen=True, eq=False)
class BrainMask:
    """A binary brain on an NCCT's grid.

    Parameters
    ----------
    mask
        bool, same shape as the NCCT.
    method
        Name and version of what made it; part of the result's provenance.
    details
        More of the provenance, JSON values by name: another program's version, its weights' hash.
    """

    mask: np.ndarray
    method: str
    details: Mapping[str, Any] = field(default_factory=dict)


class BrainExtractor(Protocol):
    """Finds the brain in an NCCT."""

    def extract(self, ncct: Volume, *, on_progress: OnProgress = ignore_progress) -> BrainMask:
        """Return the mask on ``ncct``'s grid.

        Raises
        ------
        InputError
            No brain is found (code ``no_brain``), or the method is not at hand.
        Cancelled
            From ``on_progress``.
        """
        ...


@dataclass(frozen=True, eq=False)
class Midplane:
    """The plane between the patient's left and right half of the head, RAS mm.

    Parameters
    ----------
    point
        A point on the plane, shape (3,).
    normal
        Unit normal, shape (3,), pointing to the patient's RIGHT (positive x component).
    """

    point: np.ndarray
    normal: np.ndarray

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Distance in mm of RAS points ``(..., 3)``; positive on the patient's right."""
        return (np.asarray(points) - self.point) @ self.normal

    def right_of(self, shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
        """Boolean array of ``shape``: voxels whose centre lies on the patient's right."""
        coefficients = affine[:3, :3].T @ self.normal
        offset = float((affine[:3, 3] - self.point) @ self.normal)
        x, y, z = (np.arange(n) * c for n, c in zip(shape, coefficients, strict=True))
        return (x[:, None, None] + y[None, :, None] + z[None, None, :] + offset) > 0
