"""Rows of patients: refused series are rows, runs continue, tables and pictures come out of rows."""

from pathlib import Path

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.evaluation.ctp_agreement import patients, picture, table
from perfusynth.phantom.patient import draw_patient

DOCS = Path(__file__).parents[3] / "docs"


def row(seed: int, motion: str = "strong", protocol: str = "wide_160mm", dice: float = 0.8) -> dict:
    way = {"dice": dice, "dice_raw": dice - 0.1, "ml": 50.0, "false_ml": 0.0, "raw_false_ml": 1.0}
    way |= {name: 1.0 for _, name in table.CURVES}
    return {
        "seed": seed, "protocol": protocol, "motion": motion, "true_ml": 60.0, "phantom_dice": 0.85,
        "corrected": way, "uncorrected": {**way, "dice": dice - 0.3},
    }  # fmt: skip


def test_only_patients_with_an_occlusion_are_taken_and_protocols_go_round():
    seeds = patients.seeds_with_deficit(8500000, 6)
    assert seeds == sorted(set(seeds))
    assert len(seeds) == 6
    assert all(draw_patient(seed).stroke.site != "none" for seed in seeds)
    between = set(range(8500000, seeds[-1])) - set(seeds)
    assert between
    assert all(draw_patient(seed).stroke.site == "none" for seed in between)
    assert list(patients.in_turn(seeds, ["a", "b", "c", "d"]).values()) == ["a", "b", "c", "d", "a", "b"]


def test_a_refused_series_is_a_row_with_its_code(monkeypatch: pytest.MonkeyPatch):
    error = InputError("Moved.", expected="a", got="b", hint="c", code="motion_cannot_be_mended")
    assert patients._figures_of_way(error, None) == {"refused": "motion_cannot_be_mended"}  # type: ignore[arg-type]


def test_a_run_continues_and_other_protocols_are_not_mixed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[int] = []

    def figures(seed: int, *, protocol_of: dict[int, str], slices: Path) -> dict:
        made.append(seed)
        return row(seed, protocol=protocol_of[seed])

    monkeypatch.setattr(patients, "figures_of", figures)
    patients.measure_patients(tmp_path, {1: "a", 2: "b"})
    rows = patients.measure_patients(tmp_path, {1: "a", 2: "b", 5: "a"})
    assert made == [1, 2, 5]
    assert [r["protocol"] for r in rows] == ["a", "b", "a"]
    with pytest.raises(InputError) as caught:
        patients.measure_patients(tmp_path, {1: "b", 2: "a"})
    assert caught.value.code == "other_protocols"


def test_groups_have_their_medians_and_intervals_only_where_patients_are_enough():
    rows = [row(k, dice=0.7 + 0.01 * k) for k in range(9)] + [row(20, "moderate", "standard_80mm", 0.5)]
    rows[0]["corrected"] = {"refused": "motion_cannot_be_mended"}
    rows[3]["corrected"]["false_ml"] = 7.5
    lines = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in table.regions_markdown(rows).splitlines()}
    assert list(lines)[2:] == ["all", "motion: moderate", "motion: strong", "standard_80mm", "wide_160mm"]
    strong = lines["motion: strong"]
    assert strong[1] == "9"
    assert strong[2].startswith("0.74 (0.7")  # of 0.71 to 0.78: the refused one is not among them
    assert strong[-2] == "1 (motion_cannot_be_mended)"
    assert strong[-1].strip(" |") == "0"
    assert strong[8] == "7.50"
    assert lines["motion: moderate"][2] == "0.50"
    assert lines["motion: moderate"][-2] == "0"


def test_every_line_of_both_tables_has_all_its_cells():
    for text in (table.regions_markdown([row(1), row(2)]), table.curves_markdown([row(1), row(2)])):
        assert len({line.count("|") for line in text.strip().splitlines()}) == 1


def test_the_example_of_a_grade_is_its_median_patient_and_never_a_refused_one():
    rows = [row(1, dice=0.9), row(2, dice=0.5), row(3, dice=0.6), row(4, "negligible", dice=0.4), row(5)]
    rows[4]["corrected"] = {"refused": "no_artery"}
    assert [p["seed"] for p in picture.examples(rows)] == [4, 3]


def test_the_patients_left_is_shown_on_the_right_and_the_face_above():
    image = np.zeros((6, 8))
    image[0, 7] = 1  # low x: left; high y: anterior
    shown = picture._shown(image, (slice(0, 6), slice(0, 8)))
    assert shown.shape == (8, 6)
    assert shown[0, -1] == 1


def test_a_picture_is_drawn_of_kept_slices(tmp_path: Path):
    rng = np.random.default_rng(0)
    deficit = np.zeros((40, 40), dtype=bool)
    deficit[10:20, 10:20] = True
    tmax = np.where(deficit, 8, rng.uniform(0, 3, (40, 40))).astype(np.float32)
    arrays = {"deficit": deficit, "spacing_mm": np.array([1.0, 1.2]), "head": 40 + 0 * tmax, "corrected": tmax,
              "uncorrected": np.full_like(tmax, np.nan)}  # fmt: skip
    for seed in (1, 2):
        np.savez(tmp_path / f"{seed}.npz", **arrays)
    rows = [row(1), row(2, "none")]
    rows[1]["uncorrected"] = {"refused": "no_artery"}
    picture.draw(rows, tmp_path, tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 20_000


def test_the_page_has_a_place_for_the_table():
    page = (DOCS / "perfusion.md").read_text(encoding="utf-8")
    assert page.count("<!-- ctp-agreement:begin -->") == page.count("<!-- ctp-agreement:end -->") == 1
