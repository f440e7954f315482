"""What is drawn for a head: pose, size, shape, age's marks and old disease.

Sources: docs/phantom.md (citation keys in brackets); ``d`` marks a design choice.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from perfusynth.phantom.lattice import clipped_normal, stream

#: Where the anatomy comes from; `draw_head` only ever draws the first.
Anatomy = Literal["mni152", "older_adult_ct"]
#: Heads that must be refused; `draw_head` only ever draws "none".
HeadFinding = Literal["none", "haemorrhage", "tumour", "craniotomy", "metal"]

#: Share of patients with hypodense white matter, with old lacunes, at the mean age [DTIA, d]; rises with age.
HYPODENSE_SHARE, LACUNE_SHARE = 0.30, 0.30
#: Factor on these shares (and on that of old infarcts) per decade beyond 70 years [d].
SHARE_PER_DECADE = 1.25
#: Share of patients with an old cortical infarct at 70 years [d]; its mL: median, SD of the logarithm, limits.
OLD_INFARCT_SHARE, OLD_INFARCT_ML = 0.08, (14.0, 0.7, 3.0, 60.0)
#: Where old infarcts lie: MNI mm at the cortex of the right side, and relative frequency: four branches of the middle,
#: two of the posterior and one of the anterior cerebral artery, cerebellum [d].
OLD_INFARCT_SITES = (
    ((58.0, 10.0, 18.0), 2.0),
    ((46.0, 34.0, 14.0), 1.5),
    ((58.0, -38.0, 28.0), 2.5),
    ((60.0, -34.0, -4.0), 1.5),
    ((16.0, -96.0, 4.0), 1.5),
    ((24.0, -80.0, -8.0), 0.8),
    ((10.0, 40.0, 44.0), 0.8),
    ((32.0, -76.0, -48.0), 0.8),
)
#: Calcifications: share of patients at 70 years; more by `SHARE_PER_DECADE` (pineal: little) [d].
PINEAL_SHARE, PLEXUS_SHARE, PALLIDUM_SHARE, FALX_SHARE = 0.65, 0.60, 0.10, 0.10
#: Their places on the right side, MNI mm.
PINEAL, PLEXUS, PALLIDUM = (0.0, -28.0, 2.0), (25.0, -40.0, 6.0), (18.0, -3.0, -1.0)
#: Intracranial size relative to MNI152, which is larger than life [d].
SIZE_MEAN, SIZE_SD, AXIS_SD = 0.905, 0.025, 0.02
#: By how much the right frontal and the left occipital pole reach further, mm (mean, SD) [d].
PETALIA_MM = (2.0, 1.5)
#: By how much the left lateral ventricle is wider than the right, mm (mean, SD) [d].
VENTRICLE_ASYMMETRY_MM = (0.5, 0.7)
#: Share of scans that show the head holder [d].
HOLDER_SHARE = 0.85


@dataclass(frozen=True)
class HeadTraits:
    """One head. Units are in the names; sides are the patient's.

    ``rotation_deg`` is about x (nod), y (tilt), z (turn); ``offset_mm`` RAS; ``scale`` relative to MNI152; both
    say how the head lies in the CTP's frame. ``petalia_mm`` is how far the right frontal and the left occipital pole
    reach beyond the others. ``lacunes`` are ``(x, y, z, radius)``, ``old_infarcts`` ``(x, y, z, mL)`` at the cortex,
    ``calcifications`` ``(x, y, z, radius, density 0-1)``, all in MNI mm.
    """

    rotation_deg: tuple[float, float, float]
    offset_mm: tuple[float, float, float]
    scale: tuple[float, float, float]
    warp_mm: float
    petalia_mm: tuple[float, float]
    skull_mm: float
    scalp_mm: float
    csf_gap_mm: float
    atrophy: float
    ventricle_size: float
    ventricle_asymmetry_mm: float
    white_matter_hypodensity: float
    lacunes: tuple[tuple[float, float, float, float], ...]
    old_infarcts: tuple[tuple[float, float, float, float], ...]
    calcifications: tuple[tuple[float, float, float, float, float], ...]
    holder: bool
    anatomy: Anatomy = "mni152"
    finding: HeadFinding = "none"


def share_at(share_at_70: float, age: float) -> float:
    """Share of patients of an age (years) with an old disease whose share at 70 years is given."""
    return float(min(0.95, share_at_70 * SHARE_PER_DECADE ** ((age - 70) / 10)))


def _lacunes(rng: np.random.Generator, age: float) -> tuple[tuple[float, float, float, float], ...]:
    if rng.random() >= share_at(LACUNE_SHARE, age):
        return ()
    found = []
    for _ in range(int(rng.integers(1, 4))):
        side = rng.choice([-1.0, 1.0])
        place = (side * rng.uniform(12, 30), rng.uniform(-20, 25), rng.uniform(-2, 28), rng.uniform(2.0, 5.0))
        found.append(tuple(round(float(v), 2) for v in place))
    return tuple(found)  # type: ignore[arg-type]


def _old_infarcts(rng: np.random.Generator, age: float) -> tuple[tuple[float, float, float, float], ...]:
    if rng.random() >= share_at(OLD_INFARCT_SHARE, age):
        return ()
    shares = np.array([share for _, share in OLD_INFARCT_SITES])
    place = np.array(OLD_INFARCT_SITES[rng.choice(len(shares), p=shares / shares.sum())][0])
    place = (place + rng.normal(0, 5, 3)) * (rng.choice([-1.0, 1.0]), 1.0, 1.0)
    median, sd, low, high = OLD_INFARCT_ML
    volume = np.clip(median * np.exp(sd * rng.standard_normal()), low, high)
    return ((*(round(float(v), 2) for v in place), round(float(volume), 2)),)  # type: ignore[return-value]


def _calcifications(rng: np.random.Generator, age: float) -> tuple[tuple[float, float, float, float, float], ...]:
    found: list[tuple[float, ...]] = []
    if rng.random() < share_at(PINEAL_SHARE, 70 + 0.2 * (age - 70)):
        found.append((*(np.array(PINEAL) + rng.normal(0, 1.0, 3)), rng.uniform(1.4, 3.0), rng.uniform(0.3, 1.0)))
    pair = (PLEXUS, PLEXUS_SHARE, (1.8, 3.8), 1.0), (PALLIDUM, PALLIDUM_SHARE, (1.5, 3.2), 0.35)
    for place, share, radii, density in pair:
        if rng.random() < share_at(share, age):
            for side in (-1.0, 1.0):
                at = (np.array(place) + rng.normal(0, 1.5, 3)) * (side, 1.0, 1.0)
                found.append((*at, rng.uniform(*radii), density * rng.uniform(0.3, 1.0)))
    if rng.random() < share_at(FALX_SHARE, age):
        y, z = rng.uniform(10, 45), rng.uniform(35, 50)
        found += [(0.0, y - 3.0 * k, z + 1.5 * k, 1.6, rng.uniform(0.3, 0.9)) for k in range(int(rng.integers(1, 5)))]
    return tuple(tuple(round(float(v), 2) for v in item) for item in found)  # type: ignore[misc]


def draw_head(seed: int, age: float) -> HeadTraits:
    """Draw a head of a given age (years)."""
    rng = stream(seed, "head")
    ageing = (age - 30) / 65
    size = clipped_normal(rng, SIZE_MEAN, SIZE_SD)
    return HeadTraits(
        rotation_deg=(clipped_normal(rng, 0, 5.0), clipped_normal(rng, 0, 3.0), clipped_normal(rng, 0, 4.0)),
        offset_mm=(clipped_normal(rng, 0, 4.0), clipped_normal(rng, 0, 6.0), clipped_normal(rng, 0, 5.0)),
        scale=(
            size * clipped_normal(rng, 0.985, AXIS_SD),
            size * clipped_normal(rng, 0.985, AXIS_SD),
            size * clipped_normal(rng, 1.0, AXIS_SD),
        ),
        warp_mm=clipped_normal(rng, 2.6, 0.4),
        petalia_mm=(clipped_normal(rng, *PETALIA_MM), clipped_normal(rng, *PETALIA_MM)),
        skull_mm=clipped_normal(rng, 6.5, 1.0),
        scalp_mm=clipped_normal(rng, 5.0, 1.2),
        csf_gap_mm=float(np.clip(0.8 + 1.8 * ageing + 0.4 * rng.standard_normal(), 0.6, 3.5)),
        atrophy=float(np.clip(0.15 + 0.65 * ageing + 0.18 * rng.standard_normal(), 0, 1)),
        ventricle_size=float(np.clip(0.10 + 0.60 * ageing + 0.22 * rng.standard_normal(), 0, 1)),
        ventricle_asymmetry_mm=clipped_normal(rng, *VENTRICLE_ASYMMETRY_MM),
        white_matter_hypodensity=(
            float(rng.uniform(0.25, 1.0)) if rng.random() < share_at(HYPODENSE_SHARE, age) else 0.0
        ),
        lacunes=_lacunes(stream(seed, "lacunes"), age),
        old_infarcts=_old_infarcts(stream(seed, "old infarcts"), age),
        calcifications=_calcifications(stream(seed, "calcifications"), age),
        holder=bool(stream(seed, "head holder").random() < HOLDER_SHARE),
    )
