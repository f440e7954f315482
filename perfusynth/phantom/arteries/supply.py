"""What an occlusion cuts off: everything downstream of the clot, less what the circle of Willis replaces."""

import numpy as np

from perfusynth.phantom.arteries.branching import Tree
from perfusynth.phantom.arteries.clot import clot_of
from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.patient import Patient

#: What a wide ACoA, and a wide PCoA, can carry of the missing flow at most [d].
ACOA_CARRIES, PCOA_CARRIES = 0.9, 0.85
#: Diameters between which they go from carrying nothing to carrying that, mm [d; 1 mm is the usual limit].
COMMUNICATING_MM = (0.5, 1.3)
#: What a hypoplastic A1 carries of a hemisphere's ACA flow, and lends to the other side [d].
HYPOPLASTIC_A1_CARRIES = 0.25
#: What the P1 of a partial, of a full fetal PCA can carry when the ICA is lost [d].
P1_CARRIES_PARTIAL, P1_CARRIES_FULL = 0.7, 0.15
#: Share of the supply that is lost behind a chronic occlusion of the ICA, filled over the circle of Willis and the
#: ophthalmic artery: cortical branches of the MCA, its perforators [d].
CHRONIC_CORTICAL, CHRONIC_PERFORATORS = 0.8, 0.5
SIDES = ("left", "right")


def _opens(diameter_mm: float) -> float:
    low, high = COMMUNICATING_MM
    return float(np.clip((diameter_mm - low) / (high - low), 0, 1))


def _a1_carries(calibre: float) -> float:
    return 1.0 if calibre == 1.0 else HYPOPLASTIC_A1_CARRIES if calibre > 0 else 0.0


def lost_shares(patient: Patient) -> np.ndarray:
    """Share 0-1 of each vessel's flow, at its origin, that the occlusion takes; ``(segments,)`` of `tree_of`."""
    tree = tree_of(patient)
    if patient.stroke.chronic_ica:
        return _behind_chronic_occlusion(patient, tree)
    if patient.stroke.site == "none":
        return np.zeros(len(tree.segments), dtype=np.float32)
    clot: dict[int, float] = {}
    for piece in clot_of(patient):
        clot.setdefault(piece.segment, piece.start)
    lost = np.zeros(len(tree.segments))
    for k, segment in enumerate(tree.segments):
        if segment.parent >= 0:
            blocked = segment.at >= clot.get(segment.parent, np.inf)
            lost[k] = 1.0 if blocked else lost[segment.parent]
        if segment.name in ("A2", "P2"):
            replaced = _replaced_anterior if segment.name == "A2" else _replaced_posterior
            lost[k] = replaced(patient, tree, lost, SIDES.index(segment.side))
    return lost.astype(np.float32)


def _behind_chronic_occlusion(patient: Patient, tree: Tree) -> np.ndarray:
    shares = {"MCA-sup": CHRONIC_CORTICAL, "MCA-inf": CHRONIC_CORTICAL, "LSA": CHRONIC_PERFORATORS}
    return np.array(
        [shares.get(s.supplies or "", 0.0) if s.side == patient.stroke.side else 0.0 for s in tree.segments],
        dtype=np.float32,
    )


def _replaced_anterior(patient: Patient, tree: Tree, lost: np.ndarray, side: int) -> float:
    """Share that an A2 loses: its own A1's part unless the other fills it, and the other A1's part where it relied."""
    traits = patient.arteries
    lost_a1 = [lost[tree.index("A1", name)] for name in SIDES]
    own, other = (_a1_carries(traits.a1_calibre[k]) for k in (side, 1 - side))
    through = ACOA_CARRIES * _opens(traits.acoa_mm)
    relied = 1 - own  # on the other side's A1; the ACoA has grown with it
    own_loss = own * lost_a1[side] * (1 - through * other * (1 - lost_a1[1 - side]))
    return float(own_loss + relied * lost_a1[1 - side])


def _replaced_posterior(patient: Patient, tree: Tree, lost: np.ndarray, side: int) -> float:
    """Share that a P2 loses: of the P1's part, and of the PCoA's part, what the other cannot replace."""
    fetal = patient.arteries.fetal[side]
    lost_p1, lost_pcoa = (lost[tree.index(name, SIDES[side])] for name in ("P1", "PCoA"))
    p1_carries = P1_CARRIES_FULL if fetal == 1.0 else P1_CARRIES_PARTIAL
    pcoa_carries = PCOA_CARRIES * _opens(patient.arteries.pcoa_mm[side])
    of_basilar = (1 - fetal) * lost_p1 * (1 - pcoa_carries * (1 - lost_pcoa))
    of_carotid = fetal * lost_pcoa * (1 - p1_carries * (1 - lost_p1))
    return float(of_basilar + of_carotid)
