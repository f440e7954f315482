"""What lies beside the head becomes air; the head stays as it is."""

import numpy as np

from perfusynth.studies.head_alone import head_alone, head_alone_series
from perfusynth.volumes.series import Series
from perfusynth.volumes.volume import Volume


def head(shape=(96, 96, 12), spacing=(2.5, 2.5, 6.0)) -> Volume:
    """A ball of 35 HU in a shell of bone, 60 mm, noise in the air."""
    rng = np.random.default_rng(0)
    index = np.indices(shape) - (np.array(shape)[:, None, None, None] - 1) / 2
    radius = np.sqrt(((index * np.array(spacing)[:, None, None, None]) ** 2).sum(axis=0))
    hu = np.where(radius < 54, 35.0, np.where(radius < 60, 900.0, -1000.0)) + rng.normal(0, 8, shape)
    return Volume(np.rint(hu), np.diag([*spacing, 1.0]))


def test_letters_headrest_and_tubes_are_gone_and_the_head_is_untouched():
    given = head()
    array = given.array.copy()
    array[4:20, 4:8] = 2000  # a line of text in every slice
    array[40:60, 90:94] = 150  # a headrest
    array[10:12, 50:52] = -300  # a tube of soft plastic, 50 mm from the head
    made = head_alone(given.with_array(array)).array
    whole = given.array > -500
    np.testing.assert_array_equal(made[whole], given.array[whole])
    assert (made[4:20, 4:8] == -1024).all()
    assert (made[40:60, 90:94] == -1024).all()
    assert (made[10:12, 50:52] == -1024).all()


def test_where_the_head_is_in_any_frame_stays_in_all():
    given = head()
    frames = np.stack([given.array, np.roll(given.array, 4, axis=0)], axis=-1).astype(np.int16)
    frames[4:20, 4:8] = 2000
    made = head_alone_series(Series(frames, given.affine, np.array([0.0, 1.0]))).array
    assert made.dtype == np.int16
    for frame in range(2):
        inside = (frames[..., frame] > -500) & (np.arange(96) >= 8)[None, :, None]
        np.testing.assert_array_equal(made[inside, frame], frames[inside, frame])
    assert (made[4:20, 4:8] == -1024).all()
