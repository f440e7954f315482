"""The live model's card over HTTP."""

import pytest

from perfusynth.generators.registry import live_bundle


@pytest.mark.parametrize("task", ["ncct_perfusion", "ncct_hypoperfusion"])
def test_the_card_is_that_of_the_live_bundle(painted, task):
    answer = painted.call("GET", f"/models/{task}/card")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.text == (live_bundle("ncct_perfusion").path / "docs" / "README.md").read_text(encoding="utf-8")
    assert "SYNTHETIC - research use only" in answer.text


def test_a_card_is_not_for_strangers(painted):
    assert painted.call("GET", "/models/ncct_perfusion/card", None).status_code == 401


@pytest.mark.parametrize("task", ["unknown", "..%2f..%2fhome", "ncct_perfusion%00"])
def test_there_is_no_card_of_what_is_no_task(painted, task):
    answer = painted.call("GET", f"/models/{task}/card")
    assert answer.status_code == 404
    assert str(painted.home) not in answer.text


def test_a_model_without_a_card_says_so(guarded):
    answer = guarded.call("GET", "/models/ncct_perfusion/card")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_card")
