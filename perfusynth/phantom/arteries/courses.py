"""The nominal courses of arteries in template space: control points, parents, diameters, what each branch supplies.

Control points are design choices, laid on the ICBM 152 2009 template after textbook anatomy; they are of the right
side (x > 0, MNI mm) and are mirrored for the left. Diameters are of a living head [Rai], elsewhere design choices.
"""

from dataclasses import dataclass

Point = tuple[float, float, float]

#: Values of arteries in label images.
ARTERY_LABELS = {
    "ICA": 1,
    "M1": 2,
    "M2-sup": 3,
    "M2-inf": 4,
    "MCA cortical": 5,
    "A1": 6,
    "ACoA": 7,
    "A2": 8,
    "ACA cortical": 9,
    "vertebral": 10,
    "basilar": 11,
    "P1": 12,
    "P2": 13,
    "PCA cortical": 14,
    "PCoA": 15,
    "cerebellar": 16,
    "perforator": 17,
}


@dataclass(frozen=True)
class Course:
    """One named vessel from its origin to its end.

    Parameters
    ----------
    label
        Key of the table of labels.
    parent, at
        The vessel that it leaves, and where along that one (0-1); None for a root.
    through
        Control points, MNI mm; a vessel with a parent begins at the parent's point.
    diameters_mm
        At even distances from the origin to the end.
    surface
        Control point (the parent's is 0) from which on the vessel lies on the brain's surface (None: nowhere).
    supplies
        The territory whose tissue it feeds (None: none of its own).
    midline
        True where there is one vessel, not one on each side.
    """

    name: str
    label: str
    parent: str | None
    at: float
    through: tuple[Point, ...]
    diameters_mm: tuple[float, ...]
    surface: int | None = None
    supplies: str | None = None
    midline: bool = False


def _branches(
    label: str, supplies: str, diameters_mm: tuple[float, float], rows: dict[str, tuple[str, float, int | None, tuple]]
) -> tuple[Course, ...]:
    return tuple(
        Course(name, label, parent, at, through, diameters_mm, surface, supplies)
        for name, (parent, at, surface, through) in rows.items()
    )


TRUNKS = (
    Course(
        "ICA",
        "ICA",
        None,
        0.0,
        (
            (25, -24, -84),
            (26, -24, -66),
            (25, -22, -56),
            (19, -14, -50),
            (12, -6, -45),
            (11, -3, -38),
            (12, 4, -33),
            (11, 12, -30),
            (11, 13.5, -26),
            (12, 9, -22.5),
            (12.5, 5, -19.5),
            (12.5, 3.5, -17.5),
        ),
        (5.0, 5.0, 5.0, 4.7, 3.6),
    ),
    Course("M1", "M1", "ICA", 1.0, ((18, 4.5, -18), (26, 6.5, -18), (33, 6.5, -16)), (3.2, 2.9)),
    Course("M2-sup", "M2-sup", "M1", 1.0, ((37, 9, -12), (40, 11, -6), (41, 11, 0)), (2.5, 2.0)),
    Course("M2-inf", "M2-inf", "M1", 1.0, ((37, 3, -13.5), (40.5, -5, -9), (41, -13, -3), (40.5, -20, 3)), (2.5, 1.9)),
    Course("A1", "A1", "ICA", 1.0, ((8, 7, -16.5), (4, 11, -16), (2, 13, -15)), (2.3, 2.1)),
    Course("A2", "A2", "A1", 1.0, ((2, 21, -14), (2.2, 31, -10), (2.4, 38, -2), (2.5, 39, 8)), (2.1, 1.6)),
    Course(
        "vertebral", "vertebral", None, 0.0, ((19, -46, -84), (14, -45, -72), (8, -38, -62), (0, -29, -52)), (3.2, 2.8)
    ),
    Course(
        "basilar",
        "basilar",
        "vertebral",
        1.0,
        ((0, -21, -46), (0, -13.5, -39), (0, -10, -31), (0, -9.5, -25), (0, -11, -19.5)),
        (3.3, 3.0),
        midline=True,
    ),
    Course("P1", "P1", "basilar", 1.0, ((5, -9.5, -19), (11, -11, -18)), (2.2, 2.1)),
    Course("PCoA", "PCoA", "ICA", 0.93, ((12, 0, -20), (11.5, -6, -19), (11, -11, -18)), (1.3, 1.3)),
    Course("P2", "P2", "P1", 1.0, ((15.5, -16, -15.5), (18, -25, -12), (17, -34, -7), (14, -42, -2)), (2.1, 1.5)),
    Course("ACoA", "ACoA", "A1", 1.0, ((0, 13.5, -15), (-2, 13, -15)), (1.5, 1.5), midline=True),
)

#: The superior division: frontal lobe and anterior parietal lobe.
SUPERIOR = _branches(
    "MCA cortical",
    "MCA-sup",
    (1.4, 0.6),
    {
        "orbitofrontal": ("M2-sup", 0.7, 2, ((43, 21, -8), (46, 30, -10), (44, 42, -12), (34, 54, -12))),
        "prefrontal": (
            "M2-sup",
            0.9,
            3,
            ((41, 17, 6), (44, 20, 10), (54, 22, 6), (54, 31, 18), (45, 42, 26), (34, 50, 30)),
        ),
        "middle frontal": (
            "M2-sup",
            1.0,
            3,
            ((40, 14, 10), (44, 14, 14), (58, 14, 10), (56, 20, 28), (46, 26, 42), (34, 30, 52)),
        ),
        "precentral": (
            "M2-sup",
            1.0,
            3,
            ((39, 8, 12), (44, 6, 15), (60, 5, 10), (60, 6, 28), (52, 6, 46), (37, 8, 60)),
        ),
        "central": (
            "M2-sup",
            1.0,
            3,
            ((39, -2, 12), (44, -7, 16), (62, -6, 12), (62, -8, 30), (54, -14, 48), (35, -20, 68)),
        ),
        "anterior parietal": (
            "M2-sup",
            1.0,
            3,
            ((38, -10, 14), (44, -18, 18), (62, -18, 16), (63, -24, 34), (54, -32, 52), (36, -38, 66)),
        ),
    },
)

#: The inferior division: temporal lobe, posterior parietal lobe, angular and lateral occipital gyri.
INFERIOR = _branches(
    "MCA cortical",
    "MCA-inf",
    (1.4, 0.6),
    {
        "temporopolar": ("M2-inf", 0.15, 3, ((40, 8, -19), (46, 14, -24), (50, 14, -30), (42, 14, -40))),
        "anterior temporal": ("M2-inf", 0.35, 2, ((46, -2, -10), (58, 0, -12), (64, -6, -22), (61, -8, -31))),
        "middle temporal": ("M2-inf", 0.7, 2, ((46, -12, -1), (62, -14, 0), (68, -20, -12), (67, -24, -22))),
        "posterior temporal": ("M2-inf", 1.0, 2, ((46, -26, 6), (62, -30, 8), (68, -40, 0), (66, -46, -10))),
        "temporo-occipital": (
            "M2-inf",
            1.0,
            2,
            ((46, -30, 10), (60, -42, 14), (60, -54, 8), (54, -66, 4), (48, -76, 8)),
        ),
        "angular": ("M2-inf", 1.0, 2, ((44, -30, 14), (58, -42, 22), (58, -54, 28), (50, -66, 34), (42, -74, 34))),
        "posterior parietal": (
            "M2-inf",
            1.0,
            2,
            ((43, -30, 16), (60, -36, 26), (60, -42, 38), (50, -52, 50), (34, -60, 60)),
        ),
    },
)

ANTERIOR = (
    Course(
        "pericallosal",
        "ACA cortical",
        "A2",
        1.0,
        ((2.5, 36, 17), (2.5, 27, 25), (2.5, 12, 31), (2.5, -8, 33), (2.5, -24, 32), (3, -38, 26)),
        (1.5, 0.7),
        supplies="ACA",
    ),
    Course(
        "callosomarginal",
        "ACA cortical",
        "A2",
        0.95,
        ((3.5, 44, 16), (4.5, 43, 26), (5, 34, 35), (5, 18, 42), (5, 2, 46), (5, -12, 49)),
        (1.5, 0.8),
        supplies="ACA",
    ),
    *_branches(
        "ACA cortical",
        "ACA",
        (1.1, 0.5),
        {
            "medial orbitofrontal": ("A2", 0.35, None, ((4, 30, -19), (6, 44, -21), (8, 58, -18))),
            "frontopolar": ("A2", 0.7, 3, ((3, 46, -6), (5, 58, -2), (8, 66, 4), (14, 66, 10))),
            "anterior internal frontal": ("callosomarginal", 0.25, 2, ((5, 52, 26), (8, 60, 28), (18, 56, 30))),
            "middle internal frontal": ("callosomarginal", 0.5, 2, ((6, 34, 44), (8, 38, 54), (20, 34, 54))),
            "posterior internal frontal": ("callosomarginal", 0.8, 2, ((6, 6, 56), (8, 8, 70), (21, 4, 70))),
            "paracentral": ("callosomarginal", 1.0, 2, ((5, -22, 58), (8, -24, 76), (21, -26, 76))),
            "superior internal parietal": (
                "pericallosal",
                0.85,
                3,
                ((4, -38, 40), (6, -46, 54), (8, -50, 70), (19, -54, 66)),
            ),
            "inferior internal parietal": ("pericallosal", 1.0, None, ((5, -50, 30), (6, -58, 38), (7, -64, 46))),
        },
    ),
)

POSTERIOR = _branches(
    "PCA cortical",
    "PCA",
    (1.2, 0.6),
    {
        "anterior inferior temporal": (
            "P2",
            0.3,
            None,
            ((23, -19, -20), (30, -20, -27), (37, -14, -34), (36, -2, -42)),
        ),
        "posterior inferior temporal": ("P2", 0.6, None, ((26, -40, -13), (38, -48, -18), (50, -58, -18))),
        "medial occipitotemporal": ("P2", 0.85, None, ((20, -50, -6), (26, -66, -9), (34, -80, -12))),
        "calcarine": ("P2", 1.0, None, ((11, -54, 3), (9, -68, 7), (10, -82, 5), (16, -96, 2), (26, -96, 2))),
        "parieto-occipital": ("P2", 1.0, None, ((12, -54, 7), (11, -64, 16), (10, -74, 26), (14, -84, 34))),
        "splenial": ("P2", 1.0, None, ((9, -45, 4), (4, -46, 12), (3, -44, 20))),
    },
)

CEREBELLAR = (
    Course(
        "SCA",
        "cerebellar",
        "basilar",
        0.9,
        ((9, -14, -23), (15, -26, -21), (17, -40, -16), (20, -54, -17), (28, -68, -24)),
        (1.5, 0.6),
        supplies="SCA",
    ),
    Course(
        "AICA",
        "cerebellar",
        "basilar",
        0.4,
        ((8, -15, -38), (18, -25, -38), (28, -38, -42), (42, -52, -42)),
        (1.1, 0.5),
        supplies="AICA",
    ),
    Course(
        "PICA",
        "cerebellar",
        "vertebral",
        0.7,
        ((14, -42, -63), (12, -52, -58), (9, -58, -48), (14, -70, -52), (26, -76, -50)),
        (1.4, 0.6),
        supplies="PICA",
    ),
)

PERFORATORS = (
    *_branches(
        "perforator",
        "LSA",
        (0.6, 0.4),
        {
            "medial lenticulostriate": ("M1", 0.25, None, ((18, 5, -11), (18, 6, -2), (17, 8, 10))),
            "middle lenticulostriate": ("M1", 0.5, None, ((22, 5, -11), (25, 4, -1), (23, 3, 12), (20, 0, 20))),
            "lateral lenticulostriate": ("M1", 0.75, None, ((26, 5, -11), (30, 1, -2), (29, -4, 10), (25, -8, 19))),
        },
    ),
    Course(
        "recurrent artery",
        "perforator",
        "A2",
        0.05,
        ((8, 14, -12), (11, 16, -6), (12, 17, 3)),
        (0.7, 0.4),
        supplies="ACA",
    ),
    Course(
        "anterior choroidal",
        "perforator",
        "ICA",
        0.965,
        ((15, -4, -17), (20, -13, -14), (24, -20, -8), (26, -26, -2)),
        (0.9, 0.5),
        supplies="AChA",
    ),
    *_branches(
        "perforator",
        "thalamic",
        (0.6, 0.4),
        {
            "thalamoperforating": ("P1", 0.3, None, ((3.5, -14, -10), (5, -17, 0), (7, -18, 8))),
            "thalamogeniculate": ("P2", 0.4, None, ((16, -26, -4), (16, -25, 4), (14, -24, 11))),
        },
    ),
    Course("pontine", "perforator", "basilar", 0.5, ((3, -16, -33), (4, -24, -33)), (0.5, 0.4), supplies="pontine"),
    Course(
        "upper pontine", "perforator", "basilar", 0.85, ((3, -14, -25), (4, -26, -24)), (0.5, 0.4), supplies="pontine"
    ),
    Course("medullary", "perforator", "vertebral", 0.85, ((3, -34, -55), (3, -42, -57)), (0.5, 0.4), supplies="PICA"),
)

#: Parents stand before their branches, and what fills a vessel from its other end before that vessel.
ARTERIES: tuple[Course, ...] = (
    *TRUNKS,
    *SUPERIOR,
    *INFERIOR,
    *ANTERIOR,
    *POSTERIOR,
    *CEREBELLAR,
    *PERFORATORS,
)
