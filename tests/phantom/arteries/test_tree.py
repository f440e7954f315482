"""The arterial tree: connected, of published calibre, and where vessels lie on the T1 template."""

import dataclasses

import numpy as np
import pytest
from nilearn import datasets
from scipy import ndimage

from perfusynth.phantom.arteries.clot import clot_of
from perfusynth.phantom.arteries.courses import ARTERY_LABELS
from perfusynth.phantom.arteries.tree import nominal_tree, tree_of
from perfusynth.phantom.patient import draw_patient

#: Diameters of living arteries, mm: mean, SD [Rai], and where along the vessel they were measured.
RAI = {
    ("ICA", 0.6): (5.0, 0.6),
    ("ICA", 1.0): (3.6, 0.4),
    ("M1", 0.5): (3.1, 0.4),
    ("M2-sup", 0.3): (2.4, 0.4),
    ("basilar", 0.5): (3.2, 0.5),
    ("P1", 0.5): (2.2, 0.4),
    ("A1", 0.5): (2.2, 0.4),
}


@pytest.fixture(scope="module")
def t1():
    """Values of the ICBM 152 T1 template (skull-stripped, white matter about 1) at MNI points ``(n, 3)``."""
    image = datasets.load_mni152_template(resolution=1)
    data = np.asarray(image.get_fdata(), dtype=np.float32)
    inverse = np.linalg.inv(image.affine)

    def at(points: np.ndarray) -> np.ndarray:
        index = inverse[:3, :3] @ np.asarray(points, dtype=float).T + inverse[:3, 3:]
        return ndimage.map_coordinates(data, index, order=1)

    return at


def middle(tree, name, side, low=0.1, high=0.9):
    line = tree.segments[tree.index(name, side)].points
    return line[int(low * len(line)) : int(high * len(line))]


def test_every_branch_begins_on_its_parent():
    for seed in range(4):
        segments = tree_of(draw_patient(seed)).segments
        for k, segment in enumerate(segments):
            assert segment.parent < k
            if segment.parent >= 0:
                parent = segments[segment.parent].points
                gap = np.linalg.norm(parent - segment.points[0], axis=1).min()
                assert gap < 0.8, f"{segment.name} begins {gap:.1f} mm off {segments[segment.parent].name}"


def test_centre_lines_are_smooth_and_in_steps_of_a_millimetre():
    for segment in tree_of(draw_patient(1)).segments:
        steps = np.diff(segment.points, axis=0)
        length = np.linalg.norm(steps, axis=1)
        assert length.max() < 3.5
        if segment.name in ("ICA", "M1", "basilar", "A1", "P1"):
            turn = (steps[1:] * steps[:-1]).sum(axis=1) / (length[1:] * length[:-1])
            assert np.degrees(np.arccos(np.clip(turn, -1, 1))).max() < 45


def test_the_circle_of_willis_is_closed():
    tree = nominal_tree()
    ends = {
        name: [tree.segments[tree.index(name, side)].points for side in ("left", "right")]
        for name in ("PCoA", "P1", "A1", "vertebral")
    }
    for k in range(2):
        assert np.linalg.norm(ends["PCoA"][k][-1] - ends["P1"][k][-1]) < 0.5
    assert np.linalg.norm(ends["vertebral"][0][-1] - ends["vertebral"][1][-1]) < 0.5
    acoa = tree.segments[tree.index("ACoA", "midline")].points
    assert np.linalg.norm(acoa[0] - ends["A1"][1][-1]) < 0.5
    assert np.linalg.norm(acoa[-1] - ends["A1"][0][-1]) < 0.5


def test_diameters_are_those_of_rai():
    found = {key: [] for key in RAI}
    for seed in range(120):
        patient = draw_patient(seed)
        ordinary = dataclasses.replace(patient.arteries, a1_calibre=(1.0, 1.0), fetal=(0.0, 0.0))
        tree = tree_of(dataclasses.replace(patient, arteries=ordinary))
        for name, at in RAI:
            radii = tree.segments[tree.index(name, "left")].radii_mm
            found[name, at].append(2 * radii[round(at * (len(radii) - 1))])
    for key, (mean, sd) in RAI.items():
        assert np.mean(found[key]) == pytest.approx(mean, abs=0.5 * sd), key
        assert 0.6 * sd < np.std(found[key]) < 1.4 * sd, key


def test_m1_lies_in_the_sylvian_stem_and_runs_laterally(t1):
    for side, sign in (("left", -1), ("right", 1)):
        line = middle(nominal_tree(), "M1", side)
        assert (np.diff(sign * line[:, 0]) > 0).all()
        assert 10 < sign * line[0, 0] < 18
        assert 28 < sign * line[-1, 0] < 38
        off = [t1(line + np.array(shift)).mean() for shift in ((0, 0, 7), (0, 10, 0), (0, -10, 0))]
        assert t1(line).mean() < 0.8 * min(off), "the stem is darker than the lobes about it"


def test_m1_is_as_long_as_published():
    lengths = [tree_of(draw_patient(s)).segments[nominal_tree().index("M1", "left")].along_mm[-1] for s in range(30)]
    assert 14 < 0.925 * np.mean(lengths) < 24


def test_basilar_lies_just_before_the_pons(t1):
    line = middle(nominal_tree(), "basilar", "midline", 0.3, 0.85)
    assert np.abs(line[:, 0]).max() < 1.5
    pons = t1(line - np.array([0, 8, 0]))
    assert t1(line).mean() < 0.35 * pons.mean()
    assert pons.min() > 0.6 * t1(np.array([[0, -28, -32]]))[0]


def test_anterior_cerebral_artery_runs_in_the_fissure_about_the_genu(t1):
    for side in ("left", "right"):
        tree = nominal_tree()
        for name in ("A2", "pericallosal"):
            line = tree.segments[tree.index(name, side)].points
            assert np.abs(line[:, 0]).max() < 5
        genu = np.array([0, 30, 5])
        around = np.concatenate([middle(tree, "A2", side, 0.5, 1), middle(tree, "pericallosal", side, 0, 0.3)])
        distance = np.linalg.norm((around - genu)[:, 1:], axis=1)
        assert distance.min() > 5
        assert distance.max() < 26
        body = middle(tree, "pericallosal", side, 0.4, 0.8)
        callosum = t1((body - np.array([0, 0, 7])) * np.array([0, 1, 1]))
        assert t1(body * np.array([0, 1, 1])).mean() < callosum.mean(), "above the corpus callosum, not in it"


def test_m2_lies_over_the_insula():
    tree = nominal_tree()
    for name in ("M2-sup", "M2-inf"):
        line = middle(tree, name, "right", 0.3, 1.0)
        assert (np.abs(line[:, 0] - 40) < 4).all()
    superior, inferior = (middle(tree, name, "right", 0.5, 1.0).mean(axis=0) for name in ("M2-sup", "M2-inf"))
    assert superior[1] > inferior[1] + 10


def test_variants_show_in_the_calibres():
    patient = draw_patient(0)
    variant = dataclasses.replace(
        patient.arteries, a1_calibre=(0.0, 1.0), fetal=(1.0, 0.0), pcoa_mm=(2.0, 0.5), acoa_mm=1.4
    )
    tree = tree_of(dataclasses.replace(patient, arteries=variant))
    radius = {(s.name, s.side): float(s.radii_mm[0]) for s in tree.segments}
    assert radius["A1", "left"] == 0
    assert radius["P1", "left"] < 0.6 * radius["P1", "right"]
    assert 2 * radius["PCoA", "left"] == pytest.approx(2.0, rel=0.01)
    assert 2 * radius["PCoA", "right"] == pytest.approx(0.5, rel=0.01)


def test_every_label_is_used_once_named():
    labels = {s.label for s in nominal_tree().segments}
    assert labels == set(ARTERY_LABELS.values())


def test_the_tree_does_not_depend_on_the_stroke(occluded):
    patient = occluded("M1")
    for a, b in zip(tree_of(patient).segments, tree_of(patient.without_deficit()).segments, strict=True):
        assert np.array_equal(a.points, b.points)
        assert np.array_equal(a.radii_mm, b.radii_mm)


def test_patients_differ_by_some_millimetres_and_sides_differ():
    nominal = nominal_tree()
    angular = nominal.index("angular", "left")
    ends = np.array([tree_of(draw_patient(s)).segments[angular].points[-1] for s in range(30)])
    assert 2 < np.linalg.norm(ends.std(axis=0)) < 9
    m1 = nominal.index("M1", "left")
    lateral = np.array([tree_of(draw_patient(s)).segments[m1].points[-1] for s in range(30)])
    assert 0.8 < np.linalg.norm(lateral.std(axis=0)) < 5


@pytest.mark.parametrize("site", ["ICA", "M1", "M2-sup", "M2-inf", "A2", "P2", "basilar"])
def test_a_clot_is_as_long_as_drawn_and_begins_in_its_vessel(occluded, site):
    patient = occluded(site, "right", clot={"clot_start": 0.2, "clot_length_mm": 14.0})
    tree = tree_of(patient)
    pieces = [p for p in clot_of(patient) if tree.segments[p.segment].name != "A1"]
    assert tree.segments[pieces[0].segment].name == site
    assert tree.segments[pieces[0].segment].side in ("right", "midline")
    length = sum((p.end - p.start) * tree.segments[p.segment].along_mm[-1] for p in pieces)
    assert length * np.mean(patient.head.scale) == pytest.approx(14.0, abs=0.5)


def test_no_clot_without_an_occlusion(occluded):
    assert clot_of(occluded("M1").without_deficit()) == ()
