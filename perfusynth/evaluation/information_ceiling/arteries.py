"""The arteries whose clot an NCCT may show, cut into pieces, and which parts of them a patient's clot fills."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from perfusynth.phantom.arteries.branching import Segment
from perfusynth.phantom.arteries.clot import clot_of
from perfusynth.phantom.arteries.tree import nominal_tree, tree_of
from perfusynth.phantom.patient import Patient

#: The patient's own sides; where there is one artery, not two, it is in the midline.
PAIRED_ARTERIES, MIDLINE_ARTERY = ("ICA", "M1", "M2-sup", "M2-inf", "A2", "P2"), "basilar"
#: Length of a piece, mm: a little shorter than the median clot; and of the ICA's end, which alone is seen beside bone
#: [d].
PIECE_MM, ICA_SEEN_MM = 12.0, 14.0
#: Parts of a piece that a clot fills or not.
PARTS_PER_PIECE = 3


@dataclass(frozen=True)
class Vessel:
    """One artery: its ``side`` ("left", "right", "midline"), its pieces, and the share of it from which on it is seen.

    ``first`` is the number of its first piece among all.
    """

    artery: str
    side: str
    pieces: int
    seen_from: float
    first: int

    @property
    def part_edges(self) -> np.ndarray:
        """Ends of the parts of its pieces, as shares (0-1) of its points."""
        return np.linspace(self.seen_from, 1.0, self.pieces * PARTS_PER_PIECE + 1)

    def of(self, patient: Patient) -> Segment:
        """Where it runs in a patient."""
        tree = tree_of(patient)
        return tree.segments[tree.index(self.artery, self.side)]


@lru_cache(maxsize=1)
def vessels() -> tuple[Vessel, ...]:
    """All arteries that are looked at; their pieces after the template's lengths."""
    tree, found, first = nominal_tree(), [], 0
    for artery in (*PAIRED_ARTERIES, MIDLINE_ARTERY):
        length = float(tree.segments[tree.index(artery, "left")].along_mm[-1])
        seen_from = max(0.0, 1 - ICA_SEEN_MM / length) if artery == "ICA" else 0.0
        pieces = max(1, round((1 - seen_from) * length / PIECE_MM))
        for side in ("left", "right") if artery != MIDLINE_ARTERY else ("midline",):
            found.append(Vessel(artery, side, pieces, seen_from, first))
            first += pieces
    return tuple(found)


def piece_names() -> tuple[str, ...]:
    """Of all pieces, in their order: artery, side, number along the flow."""
    return tuple(f"{v.artery} {v.side} {n + 1}/{v.pieces}" for v in vessels() for n in range(v.pieces))


def mirror() -> np.ndarray:
    """Number of each piece's mirror image."""
    other = {"left": "right", "right": "left"}
    first = {(v.artery, v.side): v.first for v in vessels()}
    found = [first[v.artery, other.get(v.side, v.side)] + n for v in vessels() for n in range(v.pieces)]
    return np.array(found)


def clot_shares(patient: Patient) -> np.ndarray:
    """Share (0-1) of each part of each piece that the patient's clot fills, ``(pieces, PARTS_PER_PIECE)``."""
    filled = np.zeros((len(piece_names()), PARTS_PER_PIECE))
    clots = clot_of(patient)
    if not clots:
        return filled
    tree = tree_of(patient)
    for vessel in vessels():
        edges, segment = vessel.part_edges, tree.index(vessel.artery, vessel.side)
        for clot in clots:
            if clot.segment == segment:
                overlap = np.minimum(clot.end, edges[1:]) - np.maximum(clot.start, edges[:-1])
                share = np.clip(overlap / np.diff(edges), 0, 1).reshape(-1, PARTS_PER_PIECE)
                filled[vessel.first : vessel.first + vessel.pieces] += share
    return filled
