"""The image that annotators align to: what it is made of, when it is made again, and what it may not hold."""

import nibabel as nib
import numpy as np
import pytest
from registration_cases import ball_head, motion, write_case

from perfusynth.errors import InputError
from perfusynth.server.registration.fixed_image import FixedImages


@pytest.fixture
def case(tmp_path):
    return write_case(tmp_path / "studies" / "b", motion(), motion(), 0.5)


@pytest.fixture
def images(case) -> FixedImages:
    return FixedImages(case.parent / ".perfusynth" / "fixed_images")


def made(images: FixedImages, case, kind: str) -> nib.Nifti1Image:
    assert images.make(case) == kind
    return nib.load(images.path_of("b"))


def save(path, array: np.ndarray, affine: np.ndarray | None = None) -> None:
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)


def test_it_is_the_mean_of_the_frames_made_once_for_a_study(images, case):
    ctp = nib.load(case / "ctp.nii.gz")
    mean = made(images, case, "ctp_mean")
    assert np.array_equal(mean.get_fdata(), ctp.get_fdata().mean(axis=3))
    assert np.array_equal(mean.affine, ctp.affine)
    number = images.path_of("b").stat().st_ino
    made(images, case, "ctp_mean")
    assert images.path_of("b").stat().st_ino == number
    save(case / "ctp.nii.gz", ctp.get_fdata().astype(np.int16) + 5, ctp.affine)
    again = made(images, case, "ctp_mean")
    assert np.array_equal(again.get_fdata(), ctp.get_fdata().mean(axis=3) + 5), "another study lies there now"


def test_padding_and_damaged_voxels_do_not_reach_the_mean(images, case):
    frames = np.zeros((50, 56, 16, 2), dtype=np.float32)
    frames[0, 0, 0], frames[1, 0, 0], frames[2, 0, 0] = -3024, np.nan, 9000
    save(case / "ctp.nii.gz", frames)
    assert made(images, case, "ctp_mean").get_fdata()[:4, 0, 0].tolist() == [-1024, -1024, 3071, 0]


def test_a_study_with_times_along_the_fifth_dimension_is_averaged_too(images, case):
    ctp = nib.load(case / "ctp.nii.gz")
    array = ctp.get_fdata().astype(np.int16)
    save(case / "ctp.nii.gz", array[:, :, :, None, :], ctp.affine)
    assert np.array_equal(made(images, case, "ctp_mean").get_fdata(), array.mean(axis=3))


def test_a_volume_is_served_as_it_is_and_a_map_where_there_is_no_ctp(images, case):
    ctp, tmax = case / "ctp.nii.gz", case / "tmax.nii.gz"
    save(ctp, ball_head())
    made(images, case, "ctp")
    assert images.path_of("b").resolve() == ctp.resolve()
    save(tmax, np.ones((9, 9, 9), np.float32))
    ctp.unlink()
    made(images, case, "tmax")
    assert images.path_of("b").resolve() == tmax.resolve()


@pytest.mark.parametrize("frames", [1, 3])
def test_a_sheared_study_is_straightened_for_viewers(images, case, frames):
    sheared = np.diag([4.0, 4, 5, 1])
    sheared[1, 2] = 1.3
    save(case / "ctp.nii.gz", np.stack([ball_head()] * frames, axis=3), sheared)
    image = made(images, case, "ctp" if frames == 1 else "ctp_mean")
    products = image.affine[:3, :3].T @ image.affine[:3, :3]
    assert np.abs(products - np.diag(np.diag(products))).max() < 1e-6
    bone = np.argwhere(image.get_fdata() > 500)
    assert len(bone) > 100
    low, high = np.sort(np.argwhere(ball_head() > 500) @ sheared[:3, :3].T, axis=0)[[0, -1]]
    shown = np.sort(bone @ image.affine[:3, :3].T + image.affine[:3, 3], axis=0)[[0, -1]]
    assert np.abs(shown - (low, high)).max() < 5, "within a voxel"


def test_the_file_says_nothing_of_the_one_it_was_made_of(images, case):
    image = nib.load(case / "ctp.nii.gz")
    named = nib.Nifti1Image(image.get_fdata().astype(np.int16), image.affine)
    named.header["descrip"] = b"DOE^JANE"
    nib.save(named, case / "ctp.nii.gz")
    assert b"DOE" not in bytes(made(images, case, "ctp_mean").header.binaryblock)


@pytest.mark.parametrize(("content", "code"), [(b"", "truncated_file"), (b"no image", "truncated_file")])
def test_what_is_no_image_is_refused(images, case, content, code):
    (case / "ctp.nii.gz").write_bytes(content)
    with pytest.raises(InputError) as refused:
        images.make(case)
    assert refused.value.code == code
    assert not images.path_of("b").exists()
