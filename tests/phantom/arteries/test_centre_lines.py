"""Centre lines as plain values: JSON, in the scan's frame, with what is occluded."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from perfusynth.phantom.arteries.centre_lines import centre_lines, vein_lines
from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.head.pose import placement_of


@pytest.fixture(scope="module")
def to_scan():
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", [3, -2, 4], degrees=True).as_matrix()
    matrix[:3, 3] = [2, -3, 5]
    return matrix


def test_points_lead_back_to_the_template(occluded, to_scan):
    patient = occluded("M1")
    lines = json.loads(json.dumps(centre_lines(patient, to_scan)))
    placement, back = placement_of(patient), np.linalg.inv(to_scan)
    for line, segment in zip(lines, tree_of(patient).segments, strict=True):
        points = np.array(line["points"]).T
        assert np.abs(placement.to_template(back[:3, :3] @ points + back[:3, 3:]).T - segment.points).max() < 0.1
        assert len(line["radii_mm"]) == len(line["points"])
        assert (line["name"], line["side"]) == (segment.name, segment.side)


def test_what_lies_behind_the_clot_is_occluded(occluded, to_scan):
    lines = {(v["name"], v["side"]): v for v in centre_lines(occluded("M1", "left"), to_scan)}
    assert lines["M1", "left"]["clot"][0] == 0.0
    for name in ("M1", "M2-sup", "M2-inf", "angular", "central"):
        assert lines[name, "left"]["occluded"], name
        assert not lines[name, "right"]["occluded"], name
    for name in ("ICA", "A1", "A2", "P2"):
        assert not lines[name, "left"]["occluded"], name


def test_a_patent_tree_has_nothing_occluded(occluded, to_scan):
    for line in centre_lines(occluded("M1").without_deficit(), to_scan):
        assert not line["occluded"]
        assert line["clot"] is None


def test_left_is_left(occluded):
    lines = {(v["name"], v["side"]): np.array(v["points"]) for v in vein_lines(occluded("M1"), np.eye(4))}
    assert lines["transverse sinus", "left"][:, 0].mean() < lines["transverse sinus", "right"][:, 0].mean() - 30
