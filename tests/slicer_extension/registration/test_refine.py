"""Automatic registration again, from where the annotator stands: on a digital patient whose truth is known."""

import threading
import time

import numpy as np
import pytest
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.problems import Problem
from PerfuSynthRegistrationLib.look_settings import TMAX
from PerfuSynthRegistrationLib.refine import refine
from PerfuSynthRegistrationLib.rigid import shift_by, turn_about

from perfusynth.evaluation.registration_error.pairs import simulated_pair


@pytest.fixture(scope="module")
def pair():
    """CTP and NCCT of one digital patient: 80 mm, noise of 12 HU, contrast in the one alone."""
    return simulated_pair(3)


@pytest.fixture(scope="module")
def images(pair):
    return GridVolume(pair.fixed.array, pair.fixed.affine), GridVolume(pair.moving.array, pair.moving.affine)


@pytest.fixture(scope="module")
def start(pair):
    """Where an annotator left it: 5 mm and 4 degrees off."""
    centre = pair.points.mean(axis=0)
    turned = turn_about(np.array([0.4, -0.7, 0.5]), 4.0, centre)
    return pair.fixed_to_moving @ turned @ shift_by(np.array([3.0, -3.0, 2.5]))


@pytest.fixture(scope="module")
def found(images, start):
    return refine(*images, start)


def test_it_finds_the_truth_from_near_by(pair, start, found):
    assert pair.error_mm(start) > 4
    assert pair.error_mm(found) < 0.6
    assert np.allclose(found[:3, :3] @ found[:3, :3].T, np.eye(3), atol=1e-12)


def test_it_finds_the_same_again(images, start, found):
    assert np.abs(refine(*images, start) - found).max() < 1e-6


def test_how_the_scan_is_stored_does_not_matter(pair, images, start):
    """Rows and columns turned round, slices from the top: the same head."""
    fixed, moving = images
    turned = np.diag([-1.0, -1.0, -1.0, 1.0])
    turned[:3, 3] = np.array(moving.array.shape) - 1
    stored = GridVolume(moving.array[::-1, ::-1, ::-1], moving.affine @ turned)
    assert pair.error_mm(refine(fixed, stored, start)) < 0.6


def test_images_beside_each_other_are_told_in_words(images):
    with pytest.raises(Problem, match="do not overlap") as refused:
        refine(*images, shift_by(np.array([900.0, 0, 0])))
    assert "handles" in refused.value.what_to_do


@pytest.mark.parametrize("kind", ["air", "no Tmax"])
def test_a_fixed_image_without_a_head_is_told_in_words(images, start, kind):
    fixed, moving = images
    empty = fixed._replace(array=np.full_like(fixed.array, -1000.0 if kind == "air" else 0.0))
    with pytest.raises(Problem, match="shows no head"):
        refine(empty, moving, start, **({} if kind == "air" else {"kind": TMAX}))


def test_it_can_be_given_up_while_it_works(images, start):
    asked = []

    def cancelled():
        asked.append(time.monotonic())
        return len(asked) > 5

    with pytest.raises(Problem) as given_up:
        refine(*images, start, cancelled)
    assert given_up.value.code == "cancelled"
    assert len(asked) < 12


def test_the_program_stays_free_while_it_works(images, start):
    """SimpleITK leaves other threads their turn: the panel's timer is not held up."""
    worker = threading.Thread(target=lambda: refine(*images, start))
    worker.start()
    turns, begin = 0, time.monotonic()
    while worker.is_alive():
        time.sleep(0.005)
        turns += 1
    assert turns > 20 * (time.monotonic() - begin)
