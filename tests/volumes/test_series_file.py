"""Series as files: other programs read the same voxels, places and times."""

import json

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from perfusynth.readers.perfusion_series import read_perfusion
from perfusynth.volumes.series import Series
from perfusynth.volumes.series_file import write_series

AFFINE = np.diag([-1.5, 2.0, 5.0, 1.0])
AFFINE[:3, 3] = (40.0, -30.0, 7.0)


def series(times_s: np.ndarray) -> Series:
    array = np.random.default_rng(0).integers(-1024, 3000, (6, 7, 5, times_s.shape[-1])).astype(np.int16)
    return Series(array, AFFINE, times_s)


def test_voxels_and_places_are_those_that_simpleitk_and_nibabel_read(tmp_path):
    given = series(2.0 * np.arange(4))
    write_series(tmp_path / "ctp.nii.gz", given)
    image = nib.load(tmp_path / "ctp.nii.gz")
    np.testing.assert_array_equal(np.asarray(image.dataobj), given.array)
    np.testing.assert_array_equal(image.affine, AFFINE)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    other = sitk.ReadImage(str(tmp_path / "ctp.nii.gz"))
    assert other.GetSpacing()[3] == 2.0
    np.testing.assert_allclose(np.array(other.GetOrigin()[:3]) * [-1, -1, 1], AFFINE[:3, 3])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ctp.nii.gz"]


def test_uneven_times_stand_beside_the_file_and_are_read_back(tmp_path):
    times = np.array([0.0, 1.0, 2.0, 4.0, 6.5])
    write_series(tmp_path / "ctp.nii.gz", series(times))
    assert json.loads((tmp_path / "ctp.json").read_text())["VolumeTiming"] == times.tolist()
    np.testing.assert_allclose(read_perfusion(tmp_path / "ctp.nii.gz").series.times_s, times)


def test_slices_of_a_moving_table_keep_the_mean_of_their_times(tmp_path):
    times = np.arange(5)[:, None] * 0.2 + 1.5 * np.arange(6)[None]
    write_series(tmp_path / "ctp.nii.gz", series(times))
    np.testing.assert_allclose(read_perfusion(tmp_path / "ctp.nii.gz").series.times_s, 1.5 * np.arange(6))
