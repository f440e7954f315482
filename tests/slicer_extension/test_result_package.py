"""A result's zip: read as the server wrote it, refused in words when it is anything else."""

import zipfile

import numpy as np
import pytest
from PerfuSynthLib.problems import Problem
from PerfuSynthLib.result_package import read_result
from result_zips import AFFINE, MEASUREMENTS, maps, write_result


@pytest.fixture
def package(tmp_path):
    return write_result(tmp_path / "result.zip")


def refused(content) -> Problem:
    with pytest.raises(Problem) as caught:
        read_result(content)
    assert caught.value.code == "bad_result"
    assert caught.value.what_to_do
    return caught.value


def test_maps_come_back_on_their_grid(package):
    result = read_result(package)
    for name, array in maps().items():
        volume = result.brain if name == "brain" else result.maps[name]
        np.testing.assert_array_equal(volume.array, array)
        np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-6)
    assert set(result.maps) == {"tmax", "cbf"}
    assert result.brain.array.dtype == np.uint8
    assert result.maps["tmax"].array.dtype == np.float32
    assert result.ncct is None
    assert result.measurements["software"] == {"version": "0.1.0"}


def test_bytes_do_as_well_as_a_file(package):
    assert read_result(package.read_bytes()).maps.keys() == read_result(str(package)).maps.keys()


def test_a_resampled_ncct_is_no_map(tmp_path):
    result = read_result(write_result(tmp_path / "r.zip", ncct=True))
    assert set(result.maps) == {"tmax", "cbf"}
    assert (result.ncct.array == 30).all()


@pytest.mark.parametrize("name", ["tmax", "cbf", "brain", "measurements.json"])
def test_what_is_missing_is_told(tmp_path, name):
    assert name in refused(write_result(tmp_path / "r.zip", without=name)).detail


@pytest.mark.parametrize("name", ["tmax", "cbf", "brain", "ncct"])
def test_a_volume_in_another_place_is_refused(tmp_path, name):
    assert "another grid" in refused(write_result(tmp_path / "r.zip", moved=name, ncct=True)).detail


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00", "null"])
def test_measurements_must_be_an_object(tmp_path, text):
    refused(write_result(tmp_path / "r.zip", measurements=text))


def test_a_brain_of_other_values_is_no_mask(tmp_path):
    assert "mask" in refused(write_result(tmp_path / "r.zip", brain_value=2)).detail


def test_a_result_that_is_cut_off_is_refused_wherever_the_cut_is(package):
    content = package.read_bytes()
    for end in [0, 1, 30, *range(60, len(content), 97), len(content) - 1]:
        refused(content[:end])


def test_a_spoiled_byte_is_refused_or_changes_nothing(package):
    content, good = package.read_bytes(), read_result(package)
    codes = []
    for place in range(0, len(content), 101):
        try:
            found = read_result(content[:place] + bytes([content[place] ^ 0x11]) + content[place + 1 :])
        except Problem as problem:
            codes.append(problem.code)
            continue
        codes.append("unnoticed")
        assert found.measurements == good.measurements
        for name in good.maps:
            np.testing.assert_array_equal(found.maps[name].array, good.maps[name].array)
    assert set(codes) <= {"bad_result", "unnoticed"}
    assert codes.count("unnoticed") < 10  # fields of the zip's directory that nobody reads


def test_text_is_no_result():
    refused(b"<html>not found</html>")


def test_a_bomb_is_refused_before_it_is_unpacked(package, monkeypatch):
    monkeypatch.setattr("PerfuSynthLib.result_package.MAX_UNPACKED_BYTES", 1000)
    assert "more than 1000" in refused(package).detail


def test_names_in_a_zip_lead_nowhere(package, tmp_path):
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr("../../escaped.nii.gz", archive.read("tmax.nii.gz"))
        archive.writestr("notes.txt", MEASUREMENTS)
    before = sorted(path.name for path in tmp_path.parent.iterdir())
    assert set(read_result(package).maps) == {"tmax", "cbf"}
    assert sorted(path.name for path in tmp_path.parent.iterdir()) == before
