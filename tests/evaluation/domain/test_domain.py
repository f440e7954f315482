"""The out-of-domain score on simulated heads whose distribution is known, and what is measured of an image."""

import numpy as np
import pytest
from scipy import ndimage

from perfusynth.errors import InputError
from perfusynth.evaluation.domain.behaviour import behaviour_figures, draw_behaviour, scores_of
from perfusynth.evaluation.domain.fit import fit_reference
from perfusynth.generators.domain import DOMAIN_FILE, DomainReference, domain_block, read_domain
from perfusynth.generators.head_statistics import STATISTICS, head_statistics
from perfusynth.generators.head_view import HeadView
from perfusynth.perfusion.measurements import Domain

WEIGHTS = "ab" * 32
#: Features of a simulated head, and the covariance that mixes them.
FEATURES = 40
MIXING = np.random.default_rng(0).normal(size=(FEATURES, FEATURES))


def views(n: int, seed: int, *, shift: float = 0.0, noise_sd: float = 0.0) -> list[HeadView]:
    """Heads with correlated features (each moved by ``shift`` SD of its own mix) and plain figures around 10."""
    rng = np.random.default_rng(seed)
    features = (rng.normal(size=(n, FEATURES)) + shift) @ MIXING
    plain = 10 + rng.normal(size=(n, len(STATISTICS)))
    plain[:, list(STATISTICS).index("noise_hu")] += noise_sd
    return [HeadView(f, dict(zip(STATISTICS, p, strict=True))) for f, p in zip(features, plain, strict=True)]


@pytest.fixture(scope="module")
def reference() -> DomainReference:
    return fit_reference(
        views(1000, 1), views(1000, 2), fit_seeds="0:1000", held_out_seeds="1000:2000", weights_sha256=WEIGHTS
    )


def judged(reference: DomainReference, found: list[HeadView]) -> list[Domain]:
    return [Domain(**domain_block(reference, view, WEIGHTS)) for view in found]


def test_one_in_a_hundred_ordinary_heads_is_unusual_and_percentiles_are_even(reference):
    found = judged(reference, views(3000, 3))
    assert np.mean([d.verdict == "unusual" for d in found]) == pytest.approx(0.01, abs=0.008)
    assert np.median([d.score for d in found]) == pytest.approx(1.0, abs=0.15)
    shares = np.histogram([d.percentile for d in found], bins=5, range=(0, 100))[0] / 3000
    np.testing.assert_allclose(shares, 0.2, atol=0.05)


def test_a_shift_of_all_features_is_seen_though_no_plain_figure_sticks_out(reference):
    found = judged(reference, views(200, 4, shift=1.5))
    assert np.mean([d.verdict == "unusual" for d in found]) > 0.95
    assert all(d.network > d.image for d in found)


def test_a_plain_figure_alone_makes_a_head_unusual_and_is_named(reference):
    far, farther = (judged(reference, views(50, 5, noise_sd=sd)) for sd in (12, 60))
    assert all(d.verdict == "unusual" and d.image > d.network for d in far)
    assert all(d.unusual[0].startswith("noise, HU: ") and ", above the usual 10" in d.unusual[0] for d in far)
    assert {d.percentile for d in (*far, *farther)} == {100}
    assert min(d.score for d in farther) > 3 * max(d.score for d in far), "beyond 100 % the distance goes on"


def test_the_score_does_not_depend_on_units(reference):
    """Features in other units, linearly mixed, are as far: the distance is Mahalanobis'."""
    scale = np.geomspace(1e-3, 1e3, FEATURES)

    def scaled(found):
        return [HeadView(view.features * scale, view.statistics) for view in found]

    other = fit_reference(
        scaled(views(1000, 1)), scaled(views(1000, 2)), fit_seeds="", held_out_seeds="", weights_sha256=WEIGHTS
    )
    heads = views(20, 6, shift=0.7)
    np.testing.assert_allclose(scores_of(other, scaled(heads)), scores_of(reference, heads), rtol=1e-3)


def test_what_cannot_be_measured_is_said(reference):
    view = views(1, 7)[0]
    without = HeadView(np.empty(0), view.statistics)
    for block in (
        domain_block(None, view, WEIGHTS),
        domain_block(reference, view, "cd" * 32),
        domain_block(reference, None, WEIGHTS),
        domain_block(reference, without, WEIGHTS),
    ):
        assert Domain(**block).verdict == "not measured"
        assert block["text"]


def test_a_reference_is_read_back_and_a_broken_one_refused(reference, tmp_path):
    path = tmp_path / DOMAIN_FILE
    path.parent.mkdir()
    assert read_domain(tmp_path) is None
    path.write_text(reference.model_dump_json())
    assert read_domain(tmp_path) == reference
    assert path.stat().st_size < 400_000
    path.write_text(reference.model_copy(update={"scores": [2.0, 1.0]}).model_dump_json())
    with pytest.raises(InputError) as caught:
        read_domain(tmp_path)
    assert caught.value.code == "bad_domain"


def test_too_few_patients_are_refused():
    with pytest.raises(InputError) as caught:
        fit_reference(views(299, 1), views(500, 2), fit_seeds="", held_out_seeds="", weights_sha256=WEIGHTS)
    assert caught.value.code == "few_patients"


def test_behaviour_is_told_by_set(reference, tmp_path):
    sets = {"like": views(400, 8), "noisy": views(50, 9, noise_sd=12), "none": []}
    figures = behaviour_figures(reference, sets)
    assert figures.keys() == {"like", "noisy"}
    assert figures["like"]["unusual"] < 0.03 < figures["noisy"]["unusual_low"]
    assert figures["noisy"]["unusual"] == figures["noisy"]["unusual_by_image"] == 1
    assert figures["noisy"]["sticks_out"]["noise, HU"] == 50
    scores = {name: scores_of(reference, found) for name, found in sets.items()}
    draw_behaviour(tmp_path / "domain.png", reference, scores, {"one": np.array([[9.0, 3.0]])})
    assert (tmp_path / "domain.png").read_bytes().startswith(b"\x89PNG")


def painted(noise_sd: float = 2.0, blur: float = 0.0, across: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """An ellipsoid of 30 HU in air with noise of a known SD, smoothed in plane or across slabs."""
    x, y, z = np.meshgrid(*(np.arange(n) - n / 2 + 0.5 for n in (192, 192, 24)), indexing="ij")
    brain = (x / 55) ** 2 + (y / 68) ** 2 + (z / 12) ** 2 < 1
    noise = np.random.default_rng(0).normal(size=brain.shape)
    noise = ndimage.gaussian_filter(noise, (blur, blur, across))
    return np.where(brain, 30 + noise * noise_sd / noise.std(), -1024), brain


SPACING = (1.2, 1.2, 5.0)


def test_figures_of_an_image_are_those_that_were_painted():
    ncct, brain = painted(noise_sd=2.0)
    found = head_statistics(ncct, brain, SPACING)
    assert list(found) == list(STATISTICS)
    assert found["mean_hu"] == pytest.approx(30, abs=0.05)
    assert found["spread_hu"] == pytest.approx(2, abs=0.1)
    assert found["noise_hu"] == pytest.approx(2, abs=0.1)
    assert found["brain_ml"] == pytest.approx(brain.sum() * 1.2 * 1.2 * 5 / 1000)
    assert found["height_mm"] == 24 * 5
    assert found["dark_share"] == found["bright_share"] == 0
    assert abs(found["slab_likeness"]) < 0.1


def test_each_figure_moves_with_what_it_names():
    ncct, brain = painted()
    plain = head_statistics(ncct, brain, SPACING)
    assert head_statistics(*painted(noise_sd=5.0), SPACING)["noise_hu"] > 2 * plain["noise_hu"]
    assert head_statistics(*painted(blur=1.0), SPACING)["grain"] > plain["grain"] + 0.3
    assert head_statistics(*painted(across=1.0), SPACING)["slab_likeness"] > plain["slab_likeness"] + 0.3
    steps = np.where(np.arange(24) % 2, 3.0, 0.0)
    assert head_statistics(ncct + steps, brain, SPACING)["slab_step_hu"] > plain["slab_step_hu"] + 1
    half = ncct + np.where(np.arange(192) < 96, 4.0, 0.0)[:, None, None]
    assert head_statistics(half, brain, SPACING)["side_difference_hu"] > plain["side_difference_hu"] + 2
    bled, dried = ncct.copy(), ncct.copy()
    bled[90:110, 90:110, 8:14], dried[90:110, 90:110, 8:14] = 70, 5
    assert head_statistics(bled, brain, SPACING)["bright_share"] > 0.005
    assert head_statistics(dried, brain, SPACING)["dark_share"] > 0.005


def test_what_lies_outside_the_brain_does_not_count():
    ncct, brain = painted()
    changed = np.where(brain, ncct, 500.0)
    assert head_statistics(changed, brain, SPACING) == pytest.approx(head_statistics(ncct, brain, SPACING))
