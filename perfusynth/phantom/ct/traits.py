"""What is drawn for the attenuation of one patient's tissues, and for the CT artefacts that his head makes.

Sources: docs/phantom.md (citation keys in brackets); ``d`` marks a design choice.
"""

from dataclasses import dataclass

import numpy as np

from perfusynth.phantom.lattice import clipped_normal, stream

#: HU (mean, SD): white matter, grey minus white [Nak, Cala], deep grey, CSF, blood [SMJ]. Grey minus white is of pure
#: tissue: 7.1 is measured at 5 mm, where CSF and white matter share voxels with the cortex.
WHITE_HU, GREY_MINUS_WHITE_HU, DEEP_GREY_HU = (29.5, 1.0), (8.0, 0.8), (34.5, 0.8)
CSF_HU, BLOOD_HU = (7.0, 1.2), (41.0, 3.0)
#: Left-right field that has nothing to do with disease, HU: SD at sigma 10 mm (a real scan: 1.1-1.9; anatomy adds 0.3).
LEFT_RIGHT_HU = (1.17, 0.17)
#: SD of streaks between the petrous bones, HU: between patients [d].
STREAK_HU = (1.0, 3.5)
#: CTA: HU of the ICA, M1 and basilar artery (mean, SD; from memory); share of their enhancement that the veins have
#: reached in an arterial phase [d].
ARTERIAL_HU, ARTERIAL_LIMITS_HU = (350.0, 70.0), (180.0, 560.0)
VENOUS_SHARE = (0.10, 0.40)
#: Calcified plaque of the carotid siphons: probability at 40 and 85 years [d]; largest thickness, mm.
PLAQUE_AGES, PLAQUE_PROBABILITY, PLAQUE_MM = (40.0, 85.0), (0.05, 0.85), (0.5, 1.8)


@dataclass(frozen=True)
class AttenuationTraits:
    """HU of tissues, and artefacts, of one patient; units in the names.

    ``left_right_hu`` is the SD of left minus right after smoothing by 10 mm; ``interpetrous_hu`` the depth of the dark
    bar (< 0), ``streak_hu`` the SD of streaks in it, ``cupping_hu`` the brightening under the skull. In the CTA
    ``arterial_hu`` is the HU of the large arteries, ``venous_share`` what share of their enhancement the veins have;
    ``plaque_mm`` the thickness of calcified plaque in the left and right carotid siphon.
    """

    white_hu: float
    grey_hu: float
    deep_grey_hu: float
    csf_hu: float
    blood_hu: float
    left_right_hu: float
    interpetrous_hu: float
    cupping_hu: float
    streak_hu: float
    arterial_hu: float
    venous_share: float
    plaque_mm: tuple[float, float]


def _plaque(rng: np.random.Generator, age: float) -> tuple[float, float]:
    """Thickness of calcified plaque left and right, mm; both sides age alike, but not quite."""
    shared, own = rng.random(), rng.random(2)
    probability = float(np.interp(age, PLAQUE_AGES, PLAQUE_PROBABILITY))
    thickness = rng.uniform(*PLAQUE_MM, size=2)
    left, right = np.where(0.7 * shared + 0.3 * own < probability, thickness, 0.0)
    return float(left), float(right)


def draw_attenuation(seed: int, age: float) -> AttenuationTraits:
    """Draw the HU of one patient's tissues."""
    rng = stream(seed, "attenuation")
    angiography = stream(seed, "angiography")
    white_hu = clipped_normal(rng, *WHITE_HU)
    return AttenuationTraits(
        white_hu=white_hu,
        grey_hu=white_hu + clipped_normal(rng, *GREY_MINUS_WHITE_HU),
        deep_grey_hu=white_hu + clipped_normal(rng, DEEP_GREY_HU[0] - WHITE_HU[0], DEEP_GREY_HU[1]),
        csf_hu=float(np.clip(clipped_normal(rng, *CSF_HU), 4, 10)),
        blood_hu=clipped_normal(rng, *BLOOD_HU),
        left_right_hu=float(np.clip(rng.normal(*LEFT_RIGHT_HU), 0.8, 1.7)),
        interpetrous_hu=float(-rng.uniform(5, 15)),
        cupping_hu=float(rng.uniform(0.3, 1.9)),
        streak_hu=float(stream(seed, "streaks").uniform(*STREAK_HU)),
        arterial_hu=float(np.clip(angiography.normal(*ARTERIAL_HU), *ARTERIAL_LIMITS_HU)),
        venous_share=float(angiography.uniform(*VENOUS_SHARE)),
        plaque_mm=_plaque(angiography, age),
    )
