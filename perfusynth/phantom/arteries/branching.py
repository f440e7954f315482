"""Branching vessels as smooth centre lines with radii: from control points to a nominal tree, and one patient's own.

The nominal tree is made once per process. A patient's differs by a smooth displacement (which the borders of his
territories share), by each vessel's own wandering, and by calibres.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import CubicSpline

from perfusynth.phantom.arteries.courses import Course
from perfusynth.phantom.arteries.wander import SURFACE_BULGE_MM, SURFACE_DEPTH_MM, depth_at, displacement, to_depth
from perfusynth.phantom.lattice import stream
from perfusynth.phantom.patient import Patient

#: Distance of neighbouring points of a centre line, MNI mm.
STEP_MM = 1.0
#: A vessel's own wandering: SD relative to its length, and at most, mm; number of half waves [d].
WANDER_SHARE, WANDER_MAX_MM, WANDER_WAVES = 0.02, 0.8, 3
#: SD of a single vessel's calibre, relative [with the patient's common 10 % the 12-18 % of Rai].
CALIBRE_SD = 0.10


@dataclass(frozen=True, eq=False)
class Segment:
    """One named vessel.

    Parameters
    ----------
    side
        "left", "right" or "midline", the patient's.
    label
        Value in label images.
    points
        Centre line from the origin to the end, MNI mm, float32 ``(n, 3)``.
    radii_mm
        In the living head, float32 ``(n,)``; 0 where the vessel is absent.
    parent, at
        Index of the vessel that it leaves (-1: none), and where along that one, 0-1.
    supplies
        The territory whose tissue it feeds itself, or None.
    """

    name: str
    side: str
    label: int
    points: np.ndarray
    radii_mm: np.ndarray
    parent: int
    at: float
    supplies: str | None

    @property
    def along_mm(self) -> np.ndarray:
        """Distance of each point from the origin, MNI mm, ``(n,)``."""
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.points, axis=0), axis=1))])


@dataclass(frozen=True, eq=False)
class Tree:
    """Vessels; parents stand before their branches."""

    segments: tuple[Segment, ...]

    def index(self, name: str, side: str) -> int:
        """Where a vessel stands; one in the midline is found for either side."""
        return next(
            k for k, s in enumerate(self.segments) if s.name == name and (s.side == side or s.side == "midline")
        )


@dataclass(frozen=True, eq=False)
class _Nominal:
    """The nominal tree and, for all its points together, what a patient's own needs."""

    tree: Tree
    starts: np.ndarray
    points: np.ndarray
    share: np.ndarray
    on_surface: np.ndarray
    depth_mm: np.ndarray


def _smooth_line(control: np.ndarray, surface: int | None, at_root: float) -> tuple[np.ndarray, np.ndarray]:
    """Points of a spline through ``control``, about `STEP_MM` apart, and their share 0-1 of lying on the surface.

    The share rises from that at the parent, ``at_root``, to 1 at the control point ``surface``.
    """
    chord = np.linalg.norm(np.diff(control, axis=0), axis=1)
    knots = np.concatenate([[0.0], np.cumsum(np.sqrt(chord))])
    spline = CubicSpline(knots, control, bc_type="natural")
    fine = np.linspace(0, knots[-1], 40 * len(control))
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(spline(fine), axis=0), axis=1))])
    count = max(3, round(length[-1] / STEP_MM) + 1)
    at = np.interp(np.linspace(0, length[-1], count), length, fine)
    if surface is None:
        return spline(at), np.zeros(count)
    rise = np.clip((at - knots[surface - 1]) / (knots[surface] - knots[surface - 1]), 0, 1)
    return spline(at), at_root + (1 - at_root) * rise**2 * (3 - 2 * rise)


@lru_cache(maxsize=2)
def nominal(courses: tuple[Course, ...], labels: tuple[tuple[str, int], ...]) -> _Nominal:
    """The tree of the template, left and right, without anyone's variation."""
    value = dict(labels)
    segments: list[Segment] = []
    on_surface: list[np.ndarray] = []
    for course in courses:
        for side in ("midline",) if course.midline else ("left", "right"):
            sign = np.array([-1.0 if side == "left" else 1.0, 1.0, 1.0])
            control = np.asarray(course.through, dtype=float) * sign
            parent, at_root = -1, 0.0
            if course.parent is not None:
                parent = Tree(tuple(segments)).index(course.parent, "right" if side == "midline" else side)
                line = segments[parent].points
                root = round(course.at * (len(line) - 1))
                control, at_root = np.vstack([line[root], control]), float(on_surface[parent][root])
            points, surface_share = _smooth_line(control, course.surface, at_root)
            nodes = np.linspace(0, 1, len(course.diameters_mm))
            radii = np.interp(np.linspace(0, 1, len(points)), nodes, course.diameters_mm) / 2
            points = to_depth(points, surface_share, -np.maximum(SURFACE_DEPTH_MM, radii - SURFACE_BULGE_MM))
            segments.append(
                Segment(
                    course.name,
                    side,
                    value[course.label],
                    points.astype(np.float32),
                    radii.astype(np.float32),
                    parent,
                    course.at,
                    course.supplies,
                )
            )
            on_surface.append(surface_share)
    together = np.concatenate([s.points for s in segments])
    return _Nominal(
        Tree(tuple(segments)),
        np.cumsum([0] + [len(s.points) for s in segments]),
        together,
        np.concatenate([np.linspace(0, 1, len(s.points), dtype=np.float32) for s in segments]),
        np.concatenate(on_surface).astype(np.float32),
        depth_at(together),
    )


def own_calibres(template: _Nominal, patient: Patient, purpose: str) -> np.ndarray:
    """Calibre of each vessel relative to what is common to the patient's, ``(segments,)``."""
    drawn = stream(patient.seed, purpose).standard_normal(len(template.tree.segments))
    return 1 + CALIBRE_SD * np.clip(drawn, -2, 2)


def grown(template: _Nominal, patient: Patient, calibres: Sequence[float], purpose: str) -> Tree:
    """One patient's own tree: displaced, wandering, each vessel's radii multiplied by its calibre."""
    rng = stream(patient.seed, purpose)
    count = len(template.tree.segments)
    waves = rng.standard_normal((WANDER_WAVES, count, 3)).astype(np.float32)
    length = STEP_MM * np.diff(template.starts)
    sd = np.minimum(WANDER_SHARE * length, WANDER_MAX_MM).astype(np.float32)
    offsets = np.zeros_like(template.points)
    for wave in range(WANDER_WAVES):
        shape = np.sin(np.pi * (wave + 1) * template.share)[:, None]
        offsets += shape * np.repeat(waves[wave] * sd[:, None] / (wave + 1), np.diff(template.starts), axis=0)
    points = template.points + displacement(patient, template.points) + patient.arteries.course_mm * offsets
    points = to_depth(points, template.on_surface, template.depth_mm).astype(np.float32)
    for k, segment in enumerate(template.tree.segments):
        if segment.parent >= 0:  # a branch follows its parent where it leaves it, and forgets it further on
            first, last = template.starts[segment.parent : segment.parent + 2]
            here = slice(template.starts[k], template.starts[k + 1])
            gap = points[first + round(segment.at * (last - first - 1))] - points[here.start]
            points[here] += (1 - template.share[here, None]) ** 2 * gap
    radii = [
        segment.radii_mm * np.float32(calibre)
        for segment, calibre in zip(template.tree.segments, calibres, strict=True)
    ]
    return Tree(
        tuple(
            Segment(s.name, s.side, s.label, points[a:b], r, s.parent, s.at, s.supplies)
            for s, a, b, r in zip(template.tree.segments, template.starts[:-1], template.starts[1:], radii, strict=True)
        )
    )
