"""What is drawn for one patient's vessels: calibres, variants of the circle of Willis, courses.

Sources: docs/phantom.md (citation keys in brackets); ``d`` marks a design choice.
"""

from dataclasses import dataclass

import numpy as np

from perfusynth.phantom.lattice import clipped_normal, stream

#: Share of patients with a hypoplastic, an absent A1 on one side [Var].
A1_HYPOPLASTIC_SHARE, A1_ABSENT_SHARE = 0.176, 0.004
#: Calibre of a hypoplastic A1 relative to a normal one [d].
A1_HYPOPLASTIC_CALIBRE = 0.45
#: Share of patients with a fetal PCA, partial included [Var]; of all patients, with a full one [d]; both sides,
#: of those with one [d].
FETAL_SHARE, FETAL_FULL_SHARE, FETAL_BOTH_SHARE = 0.37, 0.10, 0.20
#: Share of the PCA's flow that comes from the ICA in a full and in a partial fetal PCA [d].
FETAL_FULL_FLOW, FETAL_PARTIAL_FLOW = 1.0, 0.5
#: Share of PCoA thinner than 1 mm [PCoA]; ranges of thin, ordinary and fetal ones, mm [d].
PCOA_THIN_SHARE, PCOA_THIN_BELOW_MM = 0.44, 1.0
PCOA_THIN_MM, PCOA_ORDINARY_MM, PCOA_FETAL_MM = (0.4, 1.0), (1.0, 1.7), (1.7, 2.3)
#: Share of patients whose ACoA is too thin to carry a hemisphere [d].
ACOA_THIN_SHARE = 0.10
ACOA_THIN_MM, ACOA_ORDINARY_MM = (0.3, 0.8), (1.0, 1.8)
#: Share of patients whose right transverse sinus is the larger; calibre of the lesser one relative to it [d].
RIGHT_SINUS_SHARE, LESSER_SINUS = 0.65, (0.45, 0.95)
#: Calibre of all arteries relative to the mean: SD [Rai: 12-16 %, of which this part is common to a patient, d].
CALIBRE_SD = 0.10
#: Wandering of courses, mm: mean, SD [d].
COURSE_MM = (1.0, 0.2)

Pair = tuple[float, float]


@dataclass(frozen=True)
class ArteryTraits:
    """One patient's vessels; pairs are (left, right).

    ``calibre`` is relative to the mean radii; ``a1_calibre`` to a normal A1 (0: absent). ``fetal`` is the share of
    the PCA's flow that comes from the ICA. ``transverse_calibre`` is relative to the dominant transverse sinus.
    """

    calibre: float
    a1_calibre: Pair
    fetal: Pair
    pcoa_mm: Pair
    acoa_mm: float
    transverse_calibre: Pair
    course_mm: float


def _a1_calibres(rng: np.random.Generator) -> Pair:
    drawn, left = rng.random(), rng.random() < 0.5
    if drawn < A1_ABSENT_SHARE:
        calibre = 0.0
    elif drawn < A1_ABSENT_SHARE + A1_HYPOPLASTIC_SHARE:
        calibre = A1_HYPOPLASTIC_CALIBRE
    else:
        return 1.0, 1.0
    return (calibre, 1.0) if left else (1.0, calibre)


def _fetal_flows(rng: np.random.Generator) -> Pair:
    drawn, left, both = rng.random(), rng.random() < 0.5, rng.random() < FETAL_BOTH_SHARE
    if drawn >= FETAL_SHARE:
        return 0.0, 0.0
    flow = FETAL_FULL_FLOW if drawn < FETAL_FULL_SHARE else FETAL_PARTIAL_FLOW
    return flow if left or both else 0.0, flow if both or not left else 0.0


def _pcoa(rng: np.random.Generator, fetal: float) -> float:
    thin, within = rng.random(), rng.random()
    # The thin ones are all among the PCoA that do not feed a fetal PCA.
    fetal_sides = FETAL_SHARE * (1 + FETAL_BOTH_SHARE) / 2
    limits = PCOA_THIN_MM if thin < PCOA_THIN_SHARE / (1 - fetal_sides) else PCOA_ORDINARY_MM
    low, high = PCOA_FETAL_MM if fetal else limits
    return float(low + (high - low) * within)


def draw_arteries(seed: int) -> ArteryTraits:
    """Draw one patient's vascular variants."""
    rng = stream(seed, "circle of Willis")
    a1 = _a1_calibres(rng)
    fetal = _fetal_flows(rng)
    pcoa = (_pcoa(rng, fetal[0]), _pcoa(rng, fetal[1]))
    acoa = float(rng.uniform(*(ACOA_THIN_MM if rng.random() < ACOA_THIN_SHARE else ACOA_ORDINARY_MM)))
    rng = stream(seed, "sinuses")
    lesser = float(rng.uniform(*LESSER_SINUS))
    return ArteryTraits(
        calibre=clipped_normal(stream(seed, "arteries"), 1.0, CALIBRE_SD),
        a1_calibre=a1,
        fetal=fetal,
        pcoa_mm=pcoa,
        acoa_mm=acoa,
        transverse_calibre=(lesser, 1.0) if rng.random() < RIGHT_SINUS_SHARE else (1.0, lesser),
        course_mm=clipped_normal(stream(seed, "courses"), *COURSE_MM),
    )
