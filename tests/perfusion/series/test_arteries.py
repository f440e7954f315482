"""AIF and VOF against the true input and output of digital patients, and of painted heads."""

from dataclasses import replace

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.perfusion.series.arteries import artery_at, choose_arteries
from perfusynth.perfusion.series.artery_settings import ArterySettings
from perfusynth.perfusion.series.baseline import find_bolus, half_rise_frame
from perfusynth.perfusion.series.venous_passage import passage_of
from perfusynth.volumes.series import Series

#: An occluded ICA, M1, M2 and basilar artery, one weak bolus among them, and a patient without an occlusion.
PATIENTS = (
    (904, "shuttle_120mm_2s"),
    (916, "wide_160mm"),
    (905, "shuttle_120mm_2s"),
    (918, "external_100mm"),
    (902, "still_160mm"),
)


def rise_s(curve: np.ndarray, series: Series) -> float:
    return float(half_rise_frame(np.asarray(curve)[None])[0]) * float(series.times_s[1])


@pytest.mark.parametrize(("seed", "protocol"), PATIENTS)
def test_the_input_is_that_of_an_open_artery(study, seed, protocol):
    case = study(seed, protocol)
    found = choose_arteries(case.series, find_bolus(case.series, case.brain), case.brain)
    voxels = tuple(found.aif.voxels.T)
    assert case.share("open")[voxels].min() > 0.1
    assert case.share("behind")[voxels].max() < 0.02
    assert case.share("venous")[voxels].max() < 0.05
    truth = case.bolus.aif_at(case.series.times_s)
    assert np.corrcoef(found.input_hu, truth)[0, 1] > 0.99
    assert abs(found.input_hu.sum() / truth.sum() - 1) < 0.12
    assert abs(found.input_hu.max() / truth.max() - 1) < 0.15
    assert abs(rise_s(found.input_hu, case.series) - rise_s(truth, case.series)) < 0.4
    np.testing.assert_allclose(
        found.aif.position_mm,
        (found.aif.voxels @ case.series.affine[:3, :3].T + case.series.affine[:3, 3]).mean(axis=0),
    )


@pytest.mark.parametrize(("seed", "protocol"), PATIENTS)
def test_the_output_is_that_of_a_sinus(study, seed, protocol):
    case = study(seed, protocol)
    found = choose_arteries(case.series, find_bolus(case.series, case.brain), case.brain)
    assert case.share("venous")[tuple(found.vof.voxels.T)].mean() > 0.9
    truth = case.bolus.vof_at(case.series.times_s)
    assert np.corrcoef(found.vof.curve_hu, truth)[0, 1] > 0.99
    assert abs(found.vof.curve_hu.sum() / truth.sum() - 1) < 0.1
    assert found.notes == ()


def test_partial_volume_can_be_left_alone(study):
    case = study(905, "shuttle_120mm_2s")
    bolus = find_bolus(case.series, case.brain)
    found = choose_arteries(case.series, bolus, case.brain, ArterySettings(partial_volume="none"))
    assert found.partial_volume_factor == 1.0
    np.testing.assert_array_equal(found.input_hu, found.aif.curve_hu)
    assert choose_arteries(case.series, bolus, case.brain).partial_volume_factor > 1.2


def first_pass(time_s: np.ndarray) -> np.ndarray:
    x = np.clip((time_s - 8) / 6.5, 0, None)
    return 300 * x**3 * np.exp(3 * (1 - x)) + 60 / (1 + np.exp(-(time_s - 28) / 3))


@pytest.mark.parametrize("end_s", [32, 40, 60])
@pytest.mark.parametrize("transit", ["exponential", "rectangular", "triangular"])
def test_areas_are_compared_however_early_the_series_ends(transit, end_s):
    step = 0.05
    fine = np.arange(0, 80, step)
    weight = {
        "exponential": np.exp(-fine / 4),
        "rectangular": (fine < 8) * 1.0,
        "triangular": np.clip(1 - np.abs(fine - 4) / 4, 0, None),
    }[transit]
    vein = np.convolve(first_pass(fine), weight / weight.sum())[: len(fine)]
    time = np.arange(0, end_s, 1.0)
    artery = first_pass(time)
    passage = passage_of(1.7 * np.interp(time - 3, fine, vein)[None].astype(np.float32), artery, 1.0)
    assert passage.area_ratio[0] == pytest.approx(1.7, rel=0.06)
    assert passage.lag_s[0] == pytest.approx(7, abs=1.1)
    assert passage.correlation[0] > 0.995


def test_a_series_that_ends_before_the_veins_peak_is_refused(paint):
    head = paint(duration_s=22.0)
    with pytest.raises(InputError) as refused:
        choose_arteries(head.series, find_bolus(head.series, head.brain), head.brain)
    assert refused.value.code == "bolus_truncated"


def test_a_series_that_ends_before_the_arteries_peak_is_refused(paint):
    head = paint(duration_s=16.0)
    with pytest.raises(InputError) as refused:
        choose_arteries(head.series, find_bolus(head.series, head.brain), head.brain)
    assert refused.value.code == "bolus_truncated"


def test_veins_that_are_still_bright_at_the_end_are_noted(paint):
    short, whole = paint(duration_s=30.0), paint(duration_s=60.0)
    notes = choose_arteries(short.series, find_bolus(short.series, short.brain), short.brain).notes
    assert len(notes) == 1
    assert "% of their peak" in notes[0]
    assert choose_arteries(whole.series, find_bolus(whole.series, whole.brain), whole.brain).notes == ()


def test_a_painted_head_gives_its_artery_and_its_vein(paint):
    head = paint()
    found = choose_arteries(head.series, find_bolus(head.series, head.brain), head.brain)
    assert {tuple(v) for v in found.aif.voxels} <= {
        (x, y, z) for x in (20, 21, 22) for y in (40, 41, 42) for z in (2, 3, 4)
    }
    np.testing.assert_allclose(found.input_hu, head.artery_hu, atol=0.05 * 300)
    np.testing.assert_allclose(found.vof.curve_hu, head.vein_hu, atol=0.05 * 300)


def test_clipped_arteries_are_not_chosen(paint):
    head = paint()
    frames = np.minimum(head.series.array, 250)
    with pytest.raises(InputError) as refused:
        choose_arteries(replace(head.series, array=frames), find_bolus(head.series, head.brain), head.brain)
    assert refused.value.code == "no_artery"


def test_an_artery_chosen_by_hand(study):
    case = study(916, "wide_160mm")
    bolus = find_bolus(case.series, case.brain)
    chosen = choose_arteries(case.series, bolus, case.brain)
    voxel = np.unravel_index(np.argmax(case.share("open") * case.brain), case.series.shape)
    position = case.series.affine[:3, :3] @ voxel + case.series.affine[:3, 3]
    aif = artery_at(case.series, bolus, position)
    assert np.linalg.norm(aif.position_mm - position) < 6
    assert case.share("open")[tuple(aif.voxels.T)].mean() > 0.3
    found = choose_arteries(case.series, bolus, case.brain, aif=aif)
    assert found.aif is aif
    np.testing.assert_allclose(found.input_hu.sum(), chosen.input_hu.sum(), rtol=0.1)


def test_no_artery_at_a_position(paint):
    head = paint()
    bolus = find_bolus(head.series, head.brain)

    def refusal(position) -> InputError:
        with pytest.raises(InputError) as refused:
            artery_at(head.series, bolus, np.array(position))
        return refused.value

    def at(voxel):
        return head.series.affine[:3, :3] @ voxel + head.series.affine[:3, 3]

    assert refusal([300.0, 0.0, 20.0]).code == "aif_outside"
    assert "-59 to 59" in refusal([300.0, 0.0, 20.0]).expected
    tissue, vein = refusal(at([40, 50, 3])), refusal(at([30, 12, 3]))
    assert tissue.code == vein.code == "aif_no_vessel"
    assert "12 HU" in tissue.got or "1" in tissue.got
    assert "after the arteries" in vein.got


def test_an_artery_that_fills_late_is_told(paint):
    head = paint(duration_s=60.0)
    bolus = find_bolus(head.series, head.brain)
    artery = choose_arteries(head.series, bolus, head.brain).aif
    late = replace(artery, curve_hu=np.concatenate([np.zeros(3), artery.curve_hu[:-3]]))
    notes = choose_arteries(head.series, bolus, head.brain, aif=late).notes
    assert any("later than the arteries" in note for note in notes)


def test_a_large_correction_for_partial_volume_is_told(paint):
    head = paint(duration_s=60.0)
    bolus = find_bolus(head.series, head.brain)
    artery = choose_arteries(head.series, bolus, head.brain).aif
    faint = replace(artery, curve_hu=artery.curve_hu / 4)
    found = choose_arteries(head.series, bolus, head.brain, aif=faint)
    assert found.partial_volume_factor > 3
    assert any("multiplied by" in note for note in found.notes)
