"""Maps of a series against the digital patient's truth: the deficit's side and size, masks, and what is refused."""

import dataclasses
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from perfusynth.ctp_maps.series_maps import SeriesMaps, maps_of_series
from perfusynth.ctp_maps.settings import MapSettings
from perfusynth.errors import Cancelled, InputError
from perfusynth.perfusion.deconvolution.settings import DeconvolutionSettings
from perfusynth.volumes.series import Series
from tests.ctp_maps.study import PROTOCOL, SIDE, dice, in_ras, stored_as, study, true_maps, with_frames

STILL = MapSettings(motion=None)
TRUNCATED = "bolus_truncated"


@lru_cache(maxsize=1)
def found() -> SeriesMaps:
    return maps_of_series(study())


def left_of_centre() -> np.ndarray:
    """bool ``(x, 1, 1)``: the patient's left; the head lies upright at x = 0 within a few mm."""
    series = study()
    return (series.affine[0, 0] * np.arange(series.shape[0]) + series.affine[0, 3] < 0)[:, None, None]


def test_the_deficit_has_the_true_side_size_and_place():
    tmax, truth, noisy = found().maps["tmax"].array, true_maps().tmax, true_maps(noise_seed=2).tmax
    late = tmax > 6
    share = np.count_nonzero(late & left_of_centre()) / np.count_nonzero(late)
    assert (share if SIDE == "left" else 1 - share) > 0.97
    assert np.count_nonzero(late) == pytest.approx(np.count_nonzero(noisy > 6), rel=0.15)
    # Not even the true arterial input does better than the noise lets it. What is chosen automatically may shift all
    # arrivals by a frame, no more.
    bound = min(dice(noisy > 6 + shift, truth > 6) for shift in (-PROTOCOL.frame_s, PROTOCOL.frame_s))
    best = dice(noisy > 6, truth > 6)
    assert bound < dice(late, truth > 6) < best + 0.03
    both = (truth != 0) & found().tissue.tissue
    assert abs(np.median((tmax - truth)[both])) < PROTOCOL.frame_s / 2


def test_flow_and_volume_follow_the_true_ones():
    truth, noisy = true_maps(), true_maps(noise_seed=2)
    own_maps = SimpleNamespace(**{name: volume.array for name, volume in found().maps.items()})
    seen = found().tissue.tissue & (truth.cbf > 0)
    # The true maps have no vessels in them, and CBV is mostly what vessels change.
    for name, least in (("cbf", 0.65), ("cbv", 0.55)):
        own, true, best = (np.asarray(getattr(maps, name))[seen] for maps in (own_maps, truth, noisy))
        assert least < np.corrcoef(own, true)[0, 1] < np.corrcoef(best, true)[0, 1]
        # A wrong unit, constant or scale of the artery moves all values.
        assert np.median(own) == pytest.approx(np.median(best), rel=0.15)
    mtt, cbf, cbv = (found().maps[name].array[seen] for name in ("mtt", "cbf", "cbv"))
    some = cbf > 1
    np.testing.assert_allclose(mtt[some], 60 * cbv[some] / cbf[some], rtol=1e-4)


def test_bone_air_fluid_and_vessels_are_0_and_nothing_is_missing():
    maps, series = found().maps, study()
    baseline = series.array[..., :5].mean(axis=3)
    smooth = ndimage.uniform_filter(baseline, (3, 3, 1))
    brain = found().brain.mask
    fluid = brain & (smooth < 10) & ndimage.binary_erosion(brain, iterations=3)
    arteries = found().arteries
    vessels = np.zeros(series.shape, dtype=bool)
    vessels[tuple(np.concatenate([arteries.aif.voxels, arteries.vof.voxels]).T)] = True
    for name, where in {
        "bone": baseline > 200,
        "air": baseline < -200,
        "outside": ~brain,
        "fluid": fluid,
        "vessels": vessels,
    }.items():
        assert where.any(), name
        for volume in maps.values():
            assert not volume.array[where].any(), name
    for volume in maps.values():
        assert volume.array.dtype == np.float32
        assert np.isfinite(volume.array).all()
    # Most of the brain is left.
    assert np.count_nonzero(maps["cbf"].array) > 0.5 * np.count_nonzero(brain)


@pytest.mark.parametrize("axes", ["LPS", "SAR"])
def test_another_stored_order_gives_the_same_maps_and_voxels(axes):
    series = stored_as(study(), axes)
    other = maps_of_series(series, STILL)
    same = maps_of_series(study(), STILL)
    for name, volume in other.maps.items():
        assert volume.shape == series.shape
        np.testing.assert_array_equal(volume.affine, series.affine)
        np.testing.assert_allclose(in_ras(volume), same.maps[name].array, atol=1e-3)
    voxels = other.in_stored_order(other.arteries.aif.voxels)
    places = voxels @ series.affine[:3, :3].T + series.affine[:3, 3]
    np.testing.assert_allclose(places.mean(axis=0), other.arteries.aif.position_mm, atol=1e-3)
    curve = series.array[tuple(voxels.T)].mean(axis=0)
    np.testing.assert_allclose(curve - curve[other.bolus.baseline].mean(), other.arteries.aif.curve_hu, atol=1e-2)


def test_the_artery_given_by_hand_is_used():
    at = found().arteries.aif.position_mm
    manual = maps_of_series(study(), dataclasses.replace(STILL, aif_position_mm=tuple(at)))
    assert np.linalg.norm(manual.arteries.aif.position_mm - at) < 5
    late = manual.maps["tmax"].array > 6
    assert dice(late, found().maps["tmax"].array > 6) > 0.9


@pytest.mark.parametrize("method", ["csvd", "ssvd"])
def test_other_methods_find_the_same_deficit(method):
    settings = dataclasses.replace(STILL, deconvolution=DeconvolutionSettings(method=method))
    other = maps_of_series(study(), settings)
    late, truth = other.maps["tmax"].array > 6, true_maps().tmax > 6
    assert dice(late, truth) > 0.6
    seen = found().tissue.tissue
    assert not np.allclose(other.maps["cbf"].array[seen], found().maps["cbf"].array[seen], rtol=0.02)


def test_a_head_that_left_the_coverage_is_measured_where_it_was_seen():
    array = study().array.copy()
    array[..., 15:] = np.concatenate([array[:, :, 1:, 15:], array[:, :, -1:, 15:]], axis=2)  # 10 mm down
    moved = maps_of_series(with_frames(array))
    assert moved.motion is not None
    assert moved.motion.largest_mm == pytest.approx(10, abs=1.5)
    assert not moved.valid.all()
    for volume in moved.maps.values():
        assert not volume.array[~moved.valid].any()
    inside = moved.valid & found().valid
    assert dice((moved.maps["tmax"].array > 6) & inside, (found().maps["tmax"].array > 6) & inside) > 0.75


def refused() -> dict[str, tuple[Series, MapSettings, str]]:
    """What cannot become maps, and the code of the refusal."""
    whole, waiting = study().array, np.tile(study().array[..., :5], 3)
    times = study().times_s

    def artery(position: tuple[float, float, float]) -> MapSettings:
        return dataclasses.replace(STILL, aif_position_mm=position)

    return {
        "too few frames": (with_frames(whole[..., :12]), STILL, "too_few_frames"),
        "no contrast": (with_frames(np.tile(waiting, 2)), STILL, "no_bolus"),
        "ends in the arteries": (with_frames(np.concatenate([waiting, whole[..., 5:9]], axis=3)), STILL, TRUNCATED),
        "ends in the veins": (with_frames(np.concatenate([waiting, whole[..., 5:12]], axis=3)), STILL, TRUNCATED),
        "begins with contrast": (with_frames(whole[..., 8:]), STILL, "no_baseline"),
        "a gap": (with_frames(whole, np.r_[times[:10], times[10:] + 4]), STILL, "frames_too_far_apart"),
        "slow": (with_frames(whole, 3.8 * np.arange(30)), STILL, "frames_too_far_apart"),
        "artery outside": (study(), artery((0.0, 0.0, 500.0)), "aif_outside"),
        "artery in tissue": (study(), artery(no_vessel()), "aif_no_vessel"),
    }


REFUSED = (
    "too few frames",
    "no contrast",
    "ends in the arteries",
    "ends in the veins",
    "begins with contrast",
    "a gap",
    "slow",
    "artery outside",
    "artery in tissue",
)


def no_vessel() -> tuple[float, float, float]:
    """The middle of the largest spot of tissue without vessels on the healthy side, RAS mm."""
    deep = ndimage.distance_transform_edt(found().tissue.tissue, sampling=study().spacing)
    deep[np.broadcast_to(left_of_centre(), deep.shape)] = 0
    voxel = np.unravel_index(deep.argmax(), deep.shape)
    x, y, z = study().affine[:3, :3] @ voxel + study().affine[:3, 3]
    return float(x), float(y), float(z)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_become_maps_is_refused_with_the_reason(name):
    series, settings, code = refused()[name]
    with pytest.raises(InputError) as caught:
        maps_of_series(series, settings)
    assert caught.value.code == code
    assert all(caught.value.as_dict().values())


def test_uneven_frames_are_interpolated_and_said():
    times = study().times_s.copy()
    times[10:] += 1.5
    uneven = maps_of_series(with_frames(study().array, times), STILL)
    assert any("interpolated linearly" in note for note in uneven.notes)
    assert uneven.series.frames > study().frames - 1
    assert np.ptp(np.diff(uneven.series.times_s)) < 1e-6


def test_progress_rises_and_may_cancel_at_each_stage():
    told: list[float] = []
    maps_of_series(study(), on_progress=lambda stage, fraction: told.append(fraction))
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
    for limit in (0.0, 0.3, 0.6, 0.9):

        def stop(stage: str, fraction: float, limit: float = limit) -> None:
            if fraction >= limit:
                raise Cancelled

        with pytest.raises(Cancelled):
            maps_of_series(study(), on_progress=stop)
