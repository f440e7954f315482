"""A patient's vessels as plain values in the frame of a scan: what is written beside a rendered case."""

from collections.abc import Callable
from typing import Any

import numpy as np

from perfusynth.phantom.arteries.branching import Tree
from perfusynth.phantom.arteries.clot import clot_of
from perfusynth.phantom.arteries.supply import lost_shares
from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.arteries.veins import veins_of
from perfusynth.phantom.head.pose import placement_of
from perfusynth.phantom.patient import Patient

#: Digits after the point of written positions and radii, mm.
DIGITS = 2


def _frames(patient: Patient, to_scan: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    placement, to_scan = placement_of(patient), np.asarray(to_scan, dtype=float)
    return lambda points: (to_scan[:3, :3] @ placement.to_head(points.T) + to_scan[:3, 3:]).T


def _lines(tree: Tree, into_scan: Callable[[np.ndarray], np.ndarray]) -> list[dict[str, Any]]:
    ends = np.cumsum([len(s.points) for s in tree.segments])[:-1]
    placed = np.split(into_scan(np.concatenate([s.points for s in tree.segments])), ends)
    return [
        {
            "name": s.name,
            "side": s.side,
            "label": s.label,
            "parent": s.parent,
            "points": np.round(points, DIGITS).tolist(),
            "radii_mm": [round(float(r), DIGITS) for r in s.radii_mm],
        }
        for s, points in zip(tree.segments, placed, strict=True)
    ]


def centre_lines(patient: Patient, to_scan: np.ndarray) -> list[dict[str, Any]]:
    """Arteries as plain JSON values, in RAS mm of a scan.

    Parameters
    ----------
    to_scan
        4x4, from the head's frame (RAS mm) into the scan's.

    Returns
    -------
    For each vessel ``name``, ``side``, ``label``, ``parent`` (index in this list, -1: none), ``points`` (RAS mm),
    ``radii_mm`` (0: absent), ``occluded`` (no blood reaches it from the heart's side) and ``clot`` (from where to
    where along it, 0-1, or None).
    """
    lines = _lines(tree_of(patient), _frames(patient, to_scan))
    clot = {piece.segment: [round(piece.start, 4), round(piece.end, 4)] for piece in clot_of(patient)}
    for index, (line, lost) in enumerate(zip(lines, lost_shares(patient), strict=True)):
        line["clot"] = clot.get(index)
        line["occluded"] = index in clot or (bool(lost >= 1) and not patient.stroke.chronic_ica)
    return lines


def vein_lines(patient: Patient, to_scan: np.ndarray) -> list[dict[str, Any]]:
    """Veins in the same form, without ``occluded`` and ``clot``."""
    return _lines(veins_of(patient), _frames(patient, to_scan))
