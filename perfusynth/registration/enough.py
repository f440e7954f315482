"""Whether two images show enough to be registered: refused here, or the answer would be a guess that looks sure."""

import numpy as np

from perfusynth.errors import InputError
from perfusynth.registration.registration_settings import RegistrationSettings
from perfusynth.volumes.volume import Volume

#: Fewest voxels along each axis: nothing tells how one or two slices are turned. [d]
FEWEST_VOXELS = 3
#: Least volume that is compared, mL: a slab of 20 mm of a head holds 200 to 400. [d]
LEAST_ML = 20.0
#: Least difference between an image's darkest and brightest value, HU. [d]
LEAST_RANGE_HU = 100.0


def check_image(name: str, image: Volume, settings: RegistrationSettings) -> None:
    """Refuse an image of one value, of air, or of too few slices.

    Raises
    ------
    InputError
        Codes ``nothing_to_register``, ``too_few_slices``.
    """
    low, high = float(image.array.min()), float(image.array.max())
    if high <= settings.low_hu or high - low < LEAST_RANGE_HU:
        raise InputError(
            f"The {name} image shows nothing that could be registered.",
            expected="a CT of a head in HU",
            got=f"values from {low:.0f} to {high:.0f}",
            hint="Check that the right image was given.",
            code="nothing_to_register",
        )
    if min(image.shape) < FEWEST_VOXELS:
        raise InputError(
            f"The {name} image has too few slices to tell how the head is turned.",
            expected=f"at least {FEWEST_VOXELS} slices",
            got=f"{min(image.shape)}",
            hint="Give a series of more slices.",
            code="too_few_slices",
        )


def check_region(name: str, region: Volume) -> None:
    """Refuse a head or a mask (1 inside) of next to nothing.

    Raises
    ------
    InputError
        Code ``too_little_to_register``.
    """
    volume = float(np.count_nonzero(region.array)) * region.voxel_ml
    if volume < LEAST_ML:
        raise InputError(
            f"There is too little to compare in the {name} image.",
            expected=f"a head, or a mask of it, of at least {LEAST_ML:.0f} mL",
            got=f"{volume:.1f} mL",
            hint="Give a mask of the head or the brain, or none; check that the image shows a head.",
            code="too_little_to_register",
        )
