"""The dural sinuses and large veins of one patient: each vessel begins where it drains to and runs upstream."""

from functools import lru_cache

from perfusynth.phantom.arteries.branching import Tree, grown, nominal, own_calibres
from perfusynth.phantom.arteries.courses import Course
from perfusynth.phantom.patient import Patient

#: Values of veins in label images; they go on from those of arteries.
VEIN_LABELS = {
    "sigmoid sinus": 21,
    "transverse sinus": 22,
    "superior sagittal sinus": 23,
    "straight sinus": 24,
    "vein of Galen": 25,
    "internal cerebral vein": 26,
    "basal vein": 27,
    "cortical vein": 28,
}
#: Diameters of cortical veins at the sinus and at the far end, mm [d].
CORTICAL_MM = (2.6, 1.0)


def _cortical(name: str, parent: str, at: float, surface: int, *through: tuple[float, float, float]) -> Course:
    return Course(name, "cortical vein", parent, at, through, CORTICAL_MM, surface)


#: Control points as in `courses`, after textbook anatomy; diameters, mm [d]: a dominant transverse sinus has 7-8.
VEINS: tuple[Course, ...] = (
    Course(
        "sigmoid sinus",
        "sigmoid sinus",
        None,
        0.0,
        ((30, -32, -68), (34, -36, -60), (42, -42, -52), (47, -45, -42), (54, -53, -33), (58, -60, -27)),
        (7.0, 7.0),
    ),
    Course(
        "transverse sinus",
        "transverse sinus",
        "sigmoid sinus",
        1.0,
        ((52, -74, -24), (38, -87, -21), (20, -94, -17), (0, -94, -12)),
        (7.0, 7.0),
        surface=1,
    ),
    Course(
        "superior sagittal sinus",
        "superior sagittal sinus",
        "transverse sinus",
        1.0,
        (
            (0, -103, 2),
            (0, -101, 20),
            (0, -88, 42),
            (0, -68, 62),
            (0, -40, 76),
            (0, -10, 77),
            (0, 20, 67),
            (0, 46, 49),
            (0, 63, 24),
            (0, 69, 4),
        ),
        (7.5, 2.5),
        surface=1,
        midline=True,
    ),
    Course(
        "straight sinus",
        "straight sinus",
        "transverse sinus",
        1.0,
        ((0, -86, -9), (0, -70, 0), (0, -56, 8), (0, -48, 11)),
        (4.5, 3.8),
        midline=True,
    ),
    Course(
        "vein of Galen", "vein of Galen", "straight sinus", 1.0, ((0, -44, 8), (0, -40, 3)), (4.2, 4.0), midline=True
    ),
    Course(
        "internal cerebral vein",
        "internal cerebral vein",
        "vein of Galen",
        1.0,
        ((1.5, -34, 5), (2, -24, 10), (2, -12, 13), (2, -2, 12), (3, 3, 9)),
        (2.2, 1.6),
    ),
    Course(
        "basal vein",
        "basal vein",
        "vein of Galen",
        0.8,
        ((8, -40, 0), (16, -34, -5), (18, -24, -9), (15, -12, -14), (16, -3, -16)),
        (2.2, 1.2),
    ),
    _cortical("frontal vein", "superior sagittal sinus", 0.80, 1, (5, 42, 54), (16, 42, 50), (30, 36, 44)),
    _cortical("precentral vein", "superior sagittal sinus", 0.62, 1, (6, 8, 73), (20, 8, 66), (36, 6, 56)),
    _cortical(
        "vein of Trolard", "superior sagittal sinus", 0.5, 1, (6, -26, 78), (28, -24, 70), (50, -16, 50), (60, -6, 24)
    ),
    _cortical("parietal vein", "superior sagittal sinus", 0.36, 1, (6, -58, 70), (24, -56, 66), (40, -52, 56)),
    _cortical("vein of Labbe", "transverse sinus", 0.12, 1, (60, -56, -16), (66, -44, -4), (64, -24, 4)),
    _cortical("superficial Sylvian vein", "vein of Labbe", 1.0, 1, (60, -10, 2), (56, 10, -6), (50, 18, -14)),
)


def veins_of(patient: Patient) -> Tree:
    """The patient's veins; they do not depend on the stroke."""
    return _veins(patient.without_deficit())


@lru_cache(maxsize=4)
def _veins(patient: Patient) -> Tree:
    template = nominal(VEINS, tuple(VEIN_LABELS.items()))
    lateral = patient.arteries.transverse_calibre
    calibres = [
        own * (lateral[1 if s.side == "right" else 0] if s.name in ("transverse sinus", "sigmoid sinus") else 1.0)
        for s, own in zip(template.tree.segments, own_calibres(template, patient, "venous calibres"), strict=True)
    ]
    return grown(template, patient, calibres, "venous courses")
