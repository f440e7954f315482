"""Vessels on grids: round, of the right area under the patient's own warp, clots that add their contrast alone."""

import numpy as np
import pytest

from perfusynth.phantom.arteries.lumen import add_arteries, lumen_at
from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.arteries.veins import veins_of
from perfusynth.phantom.head.pose import placement_of, template_coordinates
from perfusynth.phantom.patient import draw_patient


def plane_across(placement, line, k, half_mm, step_mm):
    """Points of a plane perpendicular to a vessel at its ``k``-th point, in the living head: RAS ``(3, n)``."""
    here = placement.to_head(line[k - 2 : k + 3].T.astype(float))
    tangent = here[:, 4] - here[:, 0]
    tangent /= np.linalg.norm(tangent)
    u = np.cross(tangent, [0.3, 0.9, 0.1] if abs(tangent[1]) < 0.8 else [1.0, 0, 0])
    u /= np.linalg.norm(u)
    v = np.cross(tangent, u)
    grid = np.arange(-half_mm, half_mm + step_mm / 2, step_mm)
    a, b = (g.ravel() for g in np.meshgrid(grid, grid, indexing="ij"))
    return here[:, 2:3] + u[:, None] * a + v[:, None] * b, a, b


@pytest.mark.parametrize(
    ("name", "side"), [("M1", "left"), ("basilar", "midline"), ("ICA", "right"), ("angular", "left")]
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cross_section_has_the_true_area_and_is_round(name, side, seed):
    patient = draw_patient(seed)
    tree, placement = tree_of(patient), placement_of(patient)
    index = tree.index(name, side)
    segment = tree.segments[index]
    k = round({"angular": 0.8, "basilar": 0.62}.get(name, 0.4) * len(segment.points))  # away from branches
    radius = float(segment.radii_mm[k])
    points, a, b = plane_across(placement, segment.points, k, radius + 0.8, 0.1)
    lumen = lumen_at(placement.to_template(points), patient)
    share = np.where(lumen.segment == index, lumen.share, 0)
    area = share.sum() * 0.1**2
    assert area == pytest.approx(np.pi * radius**2, rel=0.10)
    a, b = a[lumen.at], b[lumen.at]
    spread = np.linalg.eigvalsh(np.cov(np.stack([a, b]), aweights=share + 1e-9))
    assert np.sqrt(spread[0] / spread[1]) > 0.9


def test_on_a_thin_slice_grid_volumes_are_those_of_tubes():
    patient = draw_patient(4)
    tree, placement = tree_of(patient), placement_of(patient)
    index = tree.index("M1", "left")
    line = placement.to_head(tree.segments[index].points.T)
    spacing = np.array([0.67, 0.67, 1.25])
    low, high = line.min(axis=1) - 4, line.max(axis=1) + 4
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = low
    ranges = tuple(np.arange(np.ceil(n)) for n in (high - low) / spacing)
    lumen = lumen_at(template_coordinates(placement, affine, ranges).reshape(3, -1), patient)
    volume = lumen.share[lumen.segment == index].sum() * np.prod(spacing)
    steps = np.linalg.norm(np.diff(line, axis=1), axis=0)
    radii = tree.segments[index].radii_mm
    truth = (np.pi * ((radii[1:] + radii[:-1]) / 2) ** 2 * steps).sum()
    assert volume == pytest.approx(truth, rel=0.10)
    assert (lumen.share[lumen.segment == index] < 0.95).mean() > 0.05, "edges are soft"


def test_a_thick_parent_is_whole_where_a_thin_branch_leaves_it():
    patient = draw_patient(0)
    tree = tree_of(patient)
    basilar = tree.segments[tree.index("basilar", "midline")].points
    axis = lumen_at(basilar[5:-5].T, patient)
    assert len(axis.at) == len(basilar) - 10
    assert axis.share.min() > 0.99


def test_absent_vessels_are_not_drawn(occluded):
    patient = occluded("M1", a1_calibre=(0.0, 1.0))
    index = tree_of(patient).index("A1", "left")
    line = tree_of(patient).segments[index].points
    assert index not in lumen_at(line[3:-3].T, patient).segment


def blood_points(patient):
    """Points about the left M1 and in brain far from it."""
    line = tree_of(patient).segments[tree_of(patient).index("M1", "left")].points
    spread = np.random.default_rng(0).normal(0, 1.5, (20, *line.shape))
    return (line + spread).reshape(-1, 3).T.astype(np.float32)


def test_blood_and_clot_in_ncct(occluded):
    patient = occluded("M1", clot={"clot_length_mm": 10.0, "clot_contrast_hu": 12.0})
    tree = tree_of(patient)
    line = tree.segments[tree.index("M1", "left")].points.T
    hu = np.full(line.shape[1], 30.0, dtype=np.float32)
    add_arteries(hu, line, patient)
    clot_points = round(10.0 / float(np.mean(patient.head.scale)))
    assert hu[1 : clot_points - 1] == pytest.approx(patient.attenuation.blood_hu + 12.0, abs=0.2)
    assert hu[clot_points + 2 :] == pytest.approx(patient.attenuation.blood_hu, abs=0.2)


def test_without_contrast_the_twin_is_bit_identical(occluded):
    patient = occluded("M1", clot={"clot_contrast_hu": 0.0})
    points = blood_points(patient)
    values = [np.full(points.shape[1], 31.7, dtype=np.float32) for _ in range(3)]
    add_arteries(values[0], points, patient)
    add_arteries(values[1], points, patient.without_deficit())
    add_arteries(values[2], points, patient.with_stroke(clot_contrast_hu=10.0))
    assert np.array_equal(values[0], values[1])
    changed = values[2] != values[1]
    assert changed.any()
    assert (values[2][changed] > values[1][changed]).all()


def test_veins_are_found_apart_from_arteries():
    patient = draw_patient(2)
    tree = veins_of(patient)
    sinus = tree.segments[tree.index("superior sagittal sinus", "midline")].points
    lumen = lumen_at(sinus[5:-5].T, patient, veins=True)
    assert len(lumen.at) == len(sinus) - 10
    assert not lumen.clot.any()
    assert len(lumen_at(sinus[5:-5].T, patient).at) < 5
