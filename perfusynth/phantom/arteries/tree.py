"""The arterial tree of one patient: courses, calibres, and the variants of the circle of Willis."""

from functools import lru_cache

from perfusynth.phantom.arteries.branching import Tree, grown, nominal, own_calibres
from perfusynth.phantom.arteries.courses import ARTERIES, ARTERY_LABELS
from perfusynth.phantom.arteries.traits import FETAL_FULL_FLOW
from perfusynth.phantom.patient import Patient

#: An A1 carries both sides where the other is hypoplastic or absent: its calibre relative to a normal one [d].
A1_ALONE = 1.15
#: Calibre of P1 relative to a normal one where the PCA is partly, fully fetal [d].
P1_PARTIAL_FETAL, P1_FULL_FETAL = 0.75, 0.4


def nominal_tree() -> Tree:
    """The template's tree, without anyone's variation."""
    return nominal(ARTERIES, tuple(ARTERY_LABELS.items())).tree


def tree_of(patient: Patient) -> Tree:
    """The patient's arteries; they do not depend on the stroke."""
    return _tree(patient.without_deficit())


@lru_cache(maxsize=4)
def _tree(patient: Patient) -> Tree:
    template = nominal(ARTERIES, tuple(ARTERY_LABELS.items()))
    traits = patient.arteries
    calibres = []
    own = own_calibres(template, patient, "arterial calibres")
    for segment, of_its_own in zip(template.tree.segments, own, strict=True):
        side = 1 if segment.side == "right" else 0
        calibre = traits.calibre * float(of_its_own)
        if segment.name == "A1":
            calibre *= traits.a1_calibre[side] if traits.a1_calibre[1 - side] == 1.0 else A1_ALONE
        elif segment.name == "P1" and traits.fetal[side]:
            calibre *= P1_FULL_FETAL if traits.fetal[side] == FETAL_FULL_FLOW else P1_PARTIAL_FETAL
        elif segment.name in ("PCoA", "ACoA"):  # drawn in mm
            drawn = traits.acoa_mm if segment.name == "ACoA" else traits.pcoa_mm[side]
            calibre = drawn / (2 * float(segment.radii_mm[0]))
        calibres.append(calibre)
    return grown(template, patient, calibres, "arterial courses")
