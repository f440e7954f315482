"""How large a volume may be; checked on the header, before any memory is asked for."""

import math
from collections.abc import Sequence

from perfusynth.errors import InputError

#: Most voxels of one volume: 512 x 512 x 1200, a whole-body CT at 1.5 mm and six times a 0.6 mm head; as float32
#: 1.26 GB, which a worker with 4 GB still holds beside its maps.
MAX_VOXELS = 512 * 512 * 1200


def check_voxel_count(shape: Sequence[int]) -> None:
    """Refuse a volume of more than `MAX_VOXELS`.

    Raises
    ------
    InputError
        Code ``too_large``.
    """
    voxels = math.prod(int(n) for n in shape)
    if voxels > MAX_VOXELS:
        raise InputError(
            "The image is too large.",
            expected=f"at most {MAX_VOXELS} voxels (512 x 512 x 1200)",
            got=f"{voxels} voxels ({' x '.join(str(int(n)) for n in shape)})",
            hint="Crop the scan to the head, or export it with thicker slices.",
            code="too_large",
        )
