"""Figures of rendered patients: what is exact exactly, what is measured against the truth that was drawn."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.evaluation.realism import ncct_figures, patients, sign_figures, views
from perfusynth.evaluation.realism.distributions import DISTRIBUTIONS, markdown
from perfusynth.evaluation.realism.perfusion_figures import perfusion_figures
from perfusynth.evaluation.realism.pictures import draw_group
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.scene import Scene, scene_of


def first(seed: int, **wanted: object) -> Patient:
    """The first patient from a seed on whose stroke has these traits."""
    drawn = (draw_patient(s) for s in range(seed, seed + 5000))
    return next(
        p
        for p in drawn
        if all(getattr(p.stroke, name) == value for name, value in wanted.items())
        and p.stroke.core_target_ml > 20
        and p.stroke.reperfused == 0
    )


@pytest.fixture(scope="module")
def m1_left() -> Scene:
    return scene_of(first(6_950_000, site="M1", side="left"))


@pytest.fixture(scope="module")
def scans(m1_left: Scene) -> ncct_figures.Scans:
    return ncct_figures.scans_of(m1_left)


def test_the_straight_grid_is_mirrored_about_the_heads_own_midplane(m1_left: Scene):
    still = dataclasses.replace(m1_left.placement, warp=np.zeros_like(m1_left.placement.warp))
    affine = views.straight_grid(still).affine
    index = np.random.default_rng(0).uniform(0, 1, (3, 50)) * (np.array(views.STRAIGHT_SHAPE) - 1)[:, None]
    mirrored = index.copy()
    mirrored[0] = views.STRAIGHT_SHAPE[0] - 1 - index[0]
    here, there = (still.to_template(affine[:3, :3] @ i + affine[:3, 3:4]) for i in (index, mirrored))
    assert here[0] == pytest.approx(-there[0], abs=1e-3)
    assert here[1:] == pytest.approx(there[1:], abs=1e-3)


def test_without_water_uptake_clot_and_swelling_the_scan_is_the_twins(scans: ncct_figures.Scans):
    assert ncct_figures.identity_figures(scans) == {"zeroed_is_twin": True}
    assert not np.array_equal(scans.ill, scans.twin)


def test_a_twin_that_differs_in_one_voxel_by_the_least_number_is_noticed(scans: ncct_figures.Scans):
    twin = scans.twin.copy()
    at = tuple(n // 2 for n in twin.shape)
    twin[at] = np.nextafter(twin[at], np.float32(np.inf))
    assert ncct_figures.identity_figures(dataclasses.replace(scans, twin=twin)) == {"zeroed_is_twin": False}


def test_contrast_and_asymmetry_lie_in_the_published_ranges(scans: ncct_figures.Scans):
    found = ncct_figures.contrast_figures(scans) | ncct_figures.asymmetry_figures(scans)
    # One patient: the table's tolerance on the mean, and two SD between patients on top.
    assert 4.0 < found["grey_minus_white_hu"] < 10.2
    assert 25.0 < found["white_hu"] < 36.0
    assert 0.7 < found["left_right_sd_hu"] < 2.2


def test_the_oracle_measures_a_darkening_that_was_put_in(scans: ncct_figures.Scans):
    for name, region in (("core", scans.view.core), ("penumbra", (scans.view.tmax > 6) & ~scans.view.core)):
        darker = dataclasses.replace(scans, ill=scans.twin - 2 * region.astype(np.float32))
        found = ncct_figures.visibility_figures(darker)
        assert found[f"{name}_darker_hu"] - found[f"{name}_darker_twin_hu"] == pytest.approx(2, abs=0.05)
    tenth = dataclasses.replace(scans, ill=np.where(scans.view.core, 0.9 * scans.twin, scans.twin))
    assert ncct_figures.visibility_figures(tenth)["core_nwu_percent"] == pytest.approx(10, abs=0.01)


def test_pure_penumbra_darkens_by_no_more_than_the_published_two_percent(scans: ncct_figures.Scans):
    assert abs(ncct_figures.visibility_figures(scans)["penumbra_nwu_percent"]) < 2


def test_a_dense_artery_of_one_side_is_the_sign_and_of_both_is_not(m1_left: Scene):
    grid = views.arteries_grid(m1_left.placement, 0.488, 5.0, 5.0)
    courses = {side: sign_figures._course(m1_left, side) for side in ("left", "right")}
    image = np.full(grid.shape, 38.0, dtype=np.float32)
    assert sign_figures._sign(image, grid, courses)["left"] == (False, pytest.approx(38))
    x = (grid.affine @ np.array([*(n / 2 for n in grid.shape), 1]))[0]
    left = grid.affine[0, 0] * np.arange(grid.shape[0]) + grid.affine[0, 3] < x
    image[left] = 52.0
    assert sign_figures._sign(image, grid, courses)["left"][0]
    assert not sign_figures._sign(image, grid, courses)["right"][0]
    image[:] = 52.0
    assert not sign_figures._sign(image, grid, courses)["left"][0]
    image[left] = 200.0  # bone
    assert not sign_figures._sign(np.where(image > 100, image, 40), grid, courses)["left"][0]


def test_a_reader_stays_away_from_bone_beside_the_artery(m1_left: Scene):
    grid = views.arteries_grid(m1_left.placement, 0.488, 5.0, 5.0)
    course = sign_figures._course(m1_left, "left")
    image = np.full(grid.shape, 38.0, dtype=np.float32)
    at = np.rint(np.linalg.solve(grid.affine[:3, :3], course - grid.affine[:3, 3:4])).astype(int)
    image[at[0, 3] + 4, at[1, 3], at[2, 3]] = 1000.0  # 2 mm from the course
    assert sign_figures._readings(image, grid, course).max() < 38.5


def test_arteries_run_where_the_patients_left_and_right_are(m1_left: Scene):
    frame = np.linalg.inv(views.head_frame(m1_left.placement))
    for side, sign in (("left", -1), ("right", 1)):
        course = sign_figures._course(m1_left, side)
        assert (sign * (frame[:3, :3] @ course + frame[:3, 3:4])[0] > 5).all()


def test_noise_has_the_stated_sd_and_correlation():
    rng = np.random.default_rng(1)
    white = 3.0 * rng.standard_normal((200, 200, 6))
    along = (white + np.roll(white, 1, 0)) / np.sqrt(2)  # correlation 0.5 at lag 1 along x, none along y
    brain = np.zeros(white.shape, dtype=bool)
    brain[20:180, 20:180] = True
    found = sign_figures._noise_figures(np.where(brain, along, 100), brain)
    assert found["noise_sd_hu"] == pytest.approx(3, abs=0.05)
    assert found["noise_lag_1"] == pytest.approx(0.25, abs=0.02)
    assert found["noise_lag_2"] == pytest.approx(0, abs=0.02)


def test_the_deficit_is_measured_where_it_was_drawn(m1_left: Scene, scans: ncct_figures.Scans):
    found = perfusion_figures(scans.view)
    assert found["tmax6_ml"] == pytest.approx(m1_left.patient.stroke.tmax6_target_ml, rel=0.5)
    assert found["core_ml"] == pytest.approx(m1_left.patient.stroke.core_target_ml, rel=0.35)
    assert found["rcbf38_hit_ml"] + found["rcbf38_missed_ml"] == pytest.approx(found["core_ml"], rel=0.02)
    assert found["rcbf38_hit_ml"] + found["rcbf38_false_ml"] == pytest.approx(found["rcbf38_ml"], rel=1e-3)
    assert 0.5 < found["cbf_auc"] <= 1
    assert found["white_cbf"] < found["grey_cbf"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    made: list[int] = []

    def figures(seed: int) -> dict:
        made.append(seed)
        return patients.drawn_figures(draw_patient(seed))

    monkeypatch.setattr(patients, "figures_of", figures)
    return made


def test_a_run_continues_where_it_was_cut_off(tmp_path: Path, quick: list[int]):
    path = tmp_path / "rows.jsonl"
    patients.measure_patients(path, range(10, 14))
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    rows = patients.measure_patients(path, range(10, 15))
    assert quick == [10, 11, 12, 13, 13, 14]
    assert [row["seed"] for row in rows] == [10, 11, 12, 13, 14]
    assert path.read_bytes().startswith(whole)
    assert [row["seed"] for row in patients.measure_patients(path, range(12, 14))] == [12, 13]


def test_patients_of_another_phantom_are_not_mixed_in(tmp_path: Path, quick: list[int]):
    path = tmp_path / "rows.jsonl"
    patients.measure_patients(path, range(2))
    rows = [{**json.loads(line), "parameter_hash": "0" * 64} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError):
        patients.measure_patients(path, range(3))
    assert quick == [0, 1]


def test_every_distribution_has_a_place_in_a_picture_and_a_line_in_the_table(tmp_path: Path, quick: list[int]):
    rows = patients.measure_patients(tmp_path / "rows.jsonl", range(30))
    assert len(markdown(rows).splitlines()) == 2 + len(DISTRIBUTIONS)
    draw_group("patients", rows, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 20_000
    for d in DISTRIBUTIONS:
        assert d.axis[0] < d.axis[1]
        assert d.spread is None or d.axis[0] <= d.spread[0] < d.spread[1]
        assert d.middle is None or d.axis[0] < d.middle < d.axis[1]
