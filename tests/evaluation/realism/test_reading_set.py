"""The two-choice reading: both kinds go the same way, and nothing in the files tells them apart."""

import csv
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.evaluation.realism import reading_set
from perfusynth.public_data import public_data
from perfusynth.volumes.volume import Volume


def head(flip: bool = False) -> Volume:
    """A skull with brain; a dense spot on the patient's left (x < 0), in front."""
    x, y, z = np.meshgrid(*(np.arange(n) - n / 2 for n in (200, 220, 40)), indexing="ij")
    radius = np.sqrt((x / 68) ** 2 + (y / 84) ** 2 + (z * 4 / 66) ** 2)
    hu = np.select([radius < 1, radius < 1.09, radius < 1.16], [34.0, 1000.0, 20.0], -1000.0)
    hu[(np.abs(x + 35) < 8) & (np.abs(y - 30) < 8) & (radius < 1)] = 70.0
    affine = np.diag([1.0, 1.0, 4.0, 1.0])
    if flip:
        hu, affine = hu[::-1, ::-1], np.diag([-1.0, -1.0, 4.0, 1.0])
    return Volume(hu, affine)


@pytest.mark.parametrize("flip", [False, True])
def test_the_patients_left_is_on_the_screens_right_and_the_front_is_up(flip: bool):
    picture = reading_set.slice_of(head(flip), 0.5)
    assert picture.shape == (reading_set.PIXELS, reading_set.PIXELS)
    rows, columns = np.nonzero((picture > 215) & (picture < 230))  # 70 HU in a window of 0 to 80
    assert columns.mean() > reading_set.PIXELS / 2 + 40
    assert rows.mean() < reading_set.PIXELS / 2 - 40


def test_pairs_hold_a_real_and_a_digital_head_and_only_the_key_knows(tmp_path: Path):
    real = public_data("ge_ncct_tilt")
    count = reading_set.write_reading_set(tmp_path, real, 6_500_000)
    assert count == 1
    with (tmp_path / "key.csv").open() as file:
        key = list(csv.DictReader(file))
    assert key[0]["real"] in ("a", "b")
    pictures = [tmp_path / f"pair-001-{letter}.png" for letter in "ab"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key.csv", *(path.name for path in pictures)]
    arrays = [matplotlib.image.imread(path)[..., 0] for path in pictures]
    for path, array in zip(pictures, arrays, strict=True):
        assert array.shape == (reading_set.PIXELS, reading_set.PIXELS)
        content = path.read_bytes()
        assert not any(chunk in content for chunk in (b"tEXt", b"iTXt", b"eXIf", b"tIME"))
        middle = array[150:300, 150:300]
        assert 0.2 < np.median(middle) < 0.7  # brain in the middle of the window
    assert np.abs(arrays[0] - arrays[1]).max() > 0.5


def test_a_folder_without_scans_is_refused(tmp_path: Path):
    with pytest.raises(InputError):
        reading_set.write_reading_set(tmp_path / "out", tmp_path, 1)
