"""One volume seen on the grid of another, through the rigid motion between their frames."""

import numpy as np
from scipy import ndimage

from perfusynth.volumes.volume import Volume


def laid_over(target: Volume, volume: Volume, to_target: np.ndarray, *, outside: float = 0.0) -> np.ndarray:
    """A volume at the voxels of another, linear; ``outside`` where it does not reach.

    ``to_target`` (4x4) takes the volume's RAS mm to the target's.
    """
    index = np.linalg.inv(volume.affine) @ np.linalg.inv(to_target) @ target.affine
    return ndimage.affine_transform(
        volume.array,
        index[:3, :3],
        index[:3, 3],
        output_shape=target.shape,
        order=1,
        cval=outside,
        output=np.float32,
    )
