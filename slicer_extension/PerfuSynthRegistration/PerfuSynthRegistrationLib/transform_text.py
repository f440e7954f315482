"""A registration as the bytes of a ``.tfm``: what SimpleITK resamples with and Slicer's transform reader reads."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from .rigid import rigid_of

#: RAS to LPS and back.
RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def transform_bytes(fixed_to_moving: np.ndarray, centre: np.ndarray) -> bytes:
    """The file for a rigid matrix (4x4, RAS, mm), fixed to moving in LPS.

    ``centre`` (RAS, mm, in the fixed frame) is what the file turns about; the mapping is the same with any.

    Raises
    ------
    Problem
        As `rigid.rigid_of`.
    """
    transform = sitk.AffineTransform(3)  # the class that Slicer itself writes and every version of it reads
    set_mapping(transform, rigid_of(fixed_to_moving), centre)
    with tempfile.TemporaryDirectory(prefix="perfusynth-") as folder:
        file = Path(folder) / "registration.tfm"
        sitk.WriteTransform(transform, str(file))
        return file.read_bytes()


def set_mapping(transform: Any, matrix: np.ndarray, centre: np.ndarray) -> None:
    """Give a SimpleITK transform with a matrix the mapping of a rigid one (4x4, RAS, mm), about a centre (RAS, mm)."""
    lps, about = RAS_LPS @ matrix @ RAS_LPS, RAS_LPS[:3, :3] @ centre
    transform.SetCenter(about.tolist())
    transform.SetMatrix(lps[:3, :3].ravel().tolist())
    transform.SetTranslation((lps[:3, :3] @ about + lps[:3, 3] - about).tolist())
