"""The truth lies where the head lies: against shifts by whole voxels, and against the frames that were rendered."""

import dataclasses

import numpy as np
import pytest

from perfusynth.evaluation.ctp_agreement.truth import Truth, truth_of
from perfusynth.phantom.ctp.frames import render_series
from perfusynth.phantom.ctp.protocols import PROTOCOLS
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import Scene, scene_of

PROTOCOL = dataclasses.replace(
    PROTOCOLS["wide_160mm"], matrix=96, pixel_mm=2.4, coverage_mm=60.0, duration_s=45.0, frame_s=3.0
)
#: A left M1 occlusion in a head that moves strongly.
SEED = 8500005
BONE_HU = 200


@pytest.fixture(scope="module")
def scene() -> Scene:
    return scene_of(draw_patient(SEED))


@pytest.fixture(scope="module")
def rest(scene: Scene) -> Truth:
    return truth_of(scene, PROTOCOL, np.eye(4))


def test_a_head_that_moved_by_two_voxels_has_its_truth_two_voxels_further(scene: Scene, rest: Truth):
    moved = np.eye(4)
    moved[0, 3] = 2 * PROTOCOL.pixel_mm
    there = truth_of(scene, PROTOCOL, moved)
    for name in ("deficit", "open", "behind", "venous"):
        before, after = getattr(rest, name), getattr(there, name)
        assert before.any()
        wrong = np.count_nonzero(before[:-2] != after[2:])
        assert wrong < 0.2 * before.sum()
        assert wrong < 0.2 * np.count_nonzero(before[2:] != after[:-2])


def test_the_truth_fits_the_frame_in_which_the_head_is_furthest_away(scene: Scene):
    series = render_series(scene, PROTOCOL, 1, noise=False)
    apart = np.abs(series.transforms - np.eye(4)).sum(axis=(1, 2))
    frame = int(apart.argmax())
    transform = series.transforms[frame]

    def bone(truth: Truth) -> float:
        return float((series.hu[..., frame][truth.tissue] > BONE_HU).mean())

    right, at_rest, wrong = (
        bone(truth_of(scene, PROTOCOL, t)) for t in (transform, np.eye(4), np.linalg.inv(transform))
    )
    assert right < 0.01
    assert right < 0.5 * at_rest < 0.5 * wrong


def test_the_deficit_of_a_left_occlusion_lies_in_the_left_half(scene: Scene, rest: Truth):
    x = scene.patient.head.offset_mm[0] / 2 + PROTOCOL.pixel_mm * (np.arange(96) - 95 / 2)
    left = x < scene.patient.head.offset_mm[0]
    assert rest.deficit[left].sum() > 0.95 * rest.deficit.sum()


def test_healthy_brain_is_far_from_the_deficit(rest: Truth):
    assert rest.healthy.any()
    assert rest.tmax[rest.healthy].max() < 4
    assert not (rest.healthy & rest.deficit).any()
