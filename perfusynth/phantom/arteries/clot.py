"""Where a patient's clot lies in his arteries."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from perfusynth.phantom.arteries.branching import Tree
from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.lattice import stream
from perfusynth.phantom.patient import Patient

#: A clot of the terminal ICA lies in the ICA by this share of its length, the rest in M1 [d]; in A1, MNI mm [d].
TERMINUS_ICA_SHARE, TERMINUS_A1_MM = 0.6, 3.0
#: What a clot that outgrows its vessel runs on into; after M1 one of the two divisions.
CONTINUES = {"M1": ("M2-sup", "M2-inf"), "M2-sup": ("central",), "M2-inf": ("angular",), "A2": ("pericallosal",)}


@dataclass(frozen=True)
class ClotPiece:
    """The part of a clot within one vessel: index in the tree, and from where to where along it, 0-1."""

    segment: int
    start: float
    end: float


def clot_of(patient: Patient) -> tuple[ClotPiece, ...]:
    """The pieces of the patient's clot, nearest to the heart first; none without an occlusion."""
    return () if patient.stroke.site == "none" else _clot(patient)


@lru_cache(maxsize=4)
def _clot(patient: Patient) -> tuple[ClotPiece, ...]:
    tree = tree_of(patient)
    stroke = patient.stroke
    length = stroke.clot_length_mm / float(np.mean(patient.head.scale))
    first = tree.index(stroke.site, stroke.side)
    own = float(tree.segments[first].along_mm[-1])
    if stroke.site == "ICA":
        start = own - TERMINUS_ICA_SHARE * length
        in_a1 = _run_on(tree, ("A1",), stroke.side, TERMINUS_A1_MM, 0)
        return (*_pieces(patient, tree, "ICA", start, length), *in_a1)
    if stroke.site == "basilar":  # anywhere: at the tip an embolus, further down on a plaque
        return _pieces(patient, tree, "basilar", 2 * stroke.clot_start * max(own - length, 0.0), min(length, own))
    return _pieces(patient, tree, stroke.site, stroke.clot_start * own, length)


def _pieces(patient: Patient, tree: Tree, name: str, start_mm: float, length_mm: float) -> tuple[ClotPiece, ...]:
    """A clot that begins ``start_mm`` along a vessel, and runs on downstream where it is longer than the rest."""
    stroke = patient.stroke
    index = tree.index(name, stroke.side)
    own = float(tree.segments[index].along_mm[-1])
    piece = ClotPiece(index, start_mm / own, min((start_mm + length_mm) / own, 1.0))
    rest = start_mm + length_mm - own
    if rest <= 0:
        return (piece,)
    if name == "ICA":
        return (piece, *_pieces(patient, tree, "M1", 0.0, rest))
    return (piece, *_run_on(tree, CONTINUES.get(name, ()), stroke.side, rest, patient.seed))


def _run_on(tree: Tree, names: tuple[str, ...], side: str, length_mm: float, seed: int) -> tuple[ClotPiece, ...]:
    if not names:
        return ()
    chosen = names[int(stream(seed, "clot").integers(len(names)))]
    index = tree.index(chosen, side)
    return (ClotPiece(index, 0.0, min(length_mm / float(tree.segments[index].along_mm[-1]), 1.0)),)
