"""What is drawn for a head: pose, size, shape, age's marks and old disease.

Sources: docs/phantom.md (citation keys in brackets); ``d`` marks a design choice.
"""

from dataclasses import dataclass

import numpy as np

from perfusynth.phantom.lattice import clipped_normal, stream

#: Share of patients with hypodense white matter, with old lacunes [DTIA, d].
HYPODENSE_SHARE, LACUNE_SHARE = 0.30, 0.30
#: Intracranial size relative to MNI152, which is larger than life [d].
SIZE_MEAN, SIZE_SD, AXIS_SD = 0.925, 0.025, 0.02


@dataclass(frozen=True)
class HeadTraits:
    """One head. Units are in the names; sides are the patient's.

    ``rotation_deg`` is about x (nod), y (tilt), z (turn); ``offset_mm`` RAS; ``scale`` relative to MNI152; both
    say how the head lies in the CTP's frame. Lacunes are ``(x, y, z, radius)`` in MNI mm.
    """

    rotation_deg: tuple[float, float, float]
    offset_mm: tuple[float, float, float]
    scale: tuple[float, float, float]
    warp_mm: float
    skull_mm: float
    scalp_mm: float
    csf_gap_mm: float
    atrophy: float
    ventricle_size: float
    white_matter_hypodensity: float
    lacunes: tuple[tuple[float, float, float, float], ...]


def _lacunes(rng: np.random.Generator) -> tuple[tuple[float, float, float, float], ...]:
    if rng.random() >= LACUNE_SHARE:
        return ()
    found = []
    for _ in range(int(rng.integers(1, 4))):
        side = rng.choice([-1.0, 1.0])
        place = (side * rng.uniform(12, 30), rng.uniform(-20, 25), rng.uniform(-2, 28), rng.uniform(2.0, 5.0))
        found.append(tuple(round(float(v), 2) for v in place))
    return tuple(found)  # type: ignore[arg-type]


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
        skull_mm=clipped_normal(rng, 6.5, 1.0),
        scalp_mm=clipped_normal(rng, 5.0, 1.2),
        csf_gap_mm=float(np.clip(0.8 + 1.8 * ageing + 0.4 * rng.standard_normal(), 0.6, 3.5)),
        atrophy=float(np.clip(0.15 + 0.65 * ageing + 0.18 * rng.standard_normal(), 0, 1)),
        ventricle_size=float(np.clip(0.10 + 0.60 * ageing + 0.22 * rng.standard_normal(), 0, 1)),
        white_matter_hypodensity=float(rng.uniform(0.25, 1.0)) if rng.random() < HYPODENSE_SHARE else 0.0,
        lacunes=_lacunes(stream(seed, "lacunes")),
    )
