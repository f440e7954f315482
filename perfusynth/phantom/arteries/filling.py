"""What an occlusion takes from the inflow at each point of the arteries, and what collaterals bring instead."""

import numpy as np

from perfusynth.phantom.arteries.clot import clot_of
from perfusynth.phantom.arteries.lumen import Lumen
from perfusynth.phantom.arteries.supply import lost_shares
from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.patient import Patient

#: Arterial contrast behind a clot relative to open arteries, by collaterals [d].
BEHIND_CLOT = {"poor": 0.2, "middle": 0.5, "good": 0.8}


def lost_at(points: np.ndarray, lumen: Lumen, patient: Patient) -> np.ndarray:
    """Share 0-1 of the inflow that the occlusion takes from each point of ``lumen`` (arteries at ``points``)."""
    lost = lost_shares(patient)[lumen.segment]
    tree = tree_of(patient)
    for piece in clot_of(patient):
        # Within the vessel that is blocked, what lies before the clot still fills.
        here = np.flatnonzero(lumen.segment == piece.segment)
        line = tree.segments[piece.segment].points
        apart = ((points[:, lumen.at[here]].T[:, None] - line[None]) ** 2).sum(axis=2)
        along = apart.argmin(axis=1) / max(len(line) - 1, 1)
        lost[here] = np.where(along >= piece.start, 1.0, lost[here])
    return lost
