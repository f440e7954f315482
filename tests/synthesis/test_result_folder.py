"""A result folder appears whole or not at all, and never takes anybody's files with it."""

import pytest

from perfusynth.errors import InputError
from perfusynth.synthesis.result_folder import result_folder


def write(folder, text):
    (folder / "measurements.json").write_text(text)
    (folder / "tmax.nii.gz").write_text(text)


def fail_half_way(out):
    with result_folder(out, replace=True) as folder:
        write(folder, "half")
        raise RuntimeError


def test_a_new_folder_appears_when_the_block_ends_well(tmp_path):
    with result_folder(tmp_path / "a" / "out") as folder:
        write(folder, "new")
        assert not (tmp_path / "a" / "out").exists()
    assert (tmp_path / "a" / "out" / "tmax.nii.gz").read_text() == "new"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["out"]


def test_an_old_result_stays_until_the_new_one_is_complete(tmp_path):
    out = tmp_path / "out"
    with result_folder(out) as folder:
        write(folder, "old")
    with pytest.raises(RuntimeError):
        fail_half_way(out)
    assert (out / "tmax.nii.gz").read_text() == "old"
    with result_folder(out, replace=True) as folder:
        write(folder, "new")
    assert (out / "tmax.nii.gz").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("stranger", ["case.json", "01.dcm", "notes.txt"])
def test_a_folder_with_other_files_is_never_replaced(tmp_path, stranger):
    write(tmp_path, "old")
    (tmp_path / stranger).write_text("mine")
    for replace in (False, True):
        with pytest.raises(InputError) as caught, result_folder(tmp_path, replace=replace):
            pass
        assert caught.value.code == "exists"
    assert (tmp_path / stranger).read_text() == "mine"


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as caught, result_folder(tmp_path / "file" / "out"):
        pass
    assert caught.value.code == "not_writable"
