"""The cache of results: found by content, private, bounded, and forgiving of damage."""

import os
import stat
import time

import numpy as np
import pytest
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.nifti_file import read_nifti, write_nifti
from PerfuSynthLib.problems import Problem
from PerfuSynthLib.result_cache import ResultCache, content_key
from result_zips import AFFINE, maps, write_result


@pytest.fixture
def ncct() -> GridVolume:
    return GridVolume(np.random.default_rng(2).integers(-1000, 1500, (9, 8, 7)).astype(np.int16), AFFINE)


@pytest.fixture
def cache(tmp_path) -> ResultCache:
    return ResultCache(tmp_path / "cache")


@pytest.fixture
def zipped(tmp_path) -> bytes:
    return write_result(tmp_path / "result.zip").read_bytes()


def key(text: str = "a") -> str:
    return text * 64


def put(cache: ResultCache, key: str, content: bytes) -> None:
    file = cache.new_file()
    file.write_bytes(content)
    cache.put(key, file)


def entries(tmp_path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").iterdir())


def test_what_was_put_comes_back(cache, zipped):
    assert cache.get(key()) is None
    put(cache, key(), zipped)
    np.testing.assert_array_equal(cache.get(key()).maps["tmax"].array, maps()["tmax"])
    assert cache.get(key("b")) is None
    assert cache.size_bytes() == len(zipped)


def test_the_key_follows_content_and_nothing_else(ncct, tmp_path):
    known = content_key(ncct, "ncct_perfusion", "w", "0.1.0")
    voxel = ncct.array.copy()
    voxel[4, 4, 4] += 1
    moved = np.array(ncct.affine)
    moved[2, 3] += 0.1
    others = [
        content_key(GridVolume(voxel, ncct.affine), "ncct_perfusion", "w", "0.1.0"),
        content_key(GridVolume(ncct.array, moved), "ncct_perfusion", "w", "0.1.0"),
        content_key(GridVolume(ncct.array[:, :, ::-1], ncct.affine), "ncct_perfusion", "w", "0.1.0"),
        content_key(GridVolume(ncct.array.reshape(8, 9, 7), ncct.affine), "ncct_perfusion", "w", "0.1.0"),
        content_key(ncct, "ncct_cta", "w", "0.1.0"),
        content_key(ncct, "ncct_perfusion", "x", "0.1.0"),
        content_key(ncct, "ncct_perfusion", "w", "0.2.0"),
        content_key(ncct, "ncct_perfusion", "w", "0.1.0", ("contrast",)),
    ]
    assert len({known, *others}) == 1 + len(others)

    write_nifti(tmp_path / "x.nii.gz", ncct)
    same = [GridVolume(np.asfortranarray(ncct.array.astype(dtype)), ncct.affine) for dtype in (np.float32, float)]
    for volume in (*same, read_nifti(tmp_path / "x.nii.gz")):
        assert content_key(volume, "ncct_perfusion", "w", "0.1.0") == known
    assert content_key(ncct, "t", "w", "1", ("b", "a")) == content_key(ncct, "t", "w", "1", ("a", "b"))


def test_nobody_else_may_read_it(cache, zipped, tmp_path):
    (tmp_path / "cache").mkdir(mode=0o755)
    put(cache, key(), zipped)
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "cache").iterdir()] == [0o600]


def test_a_damaged_entry_is_dropped(cache, zipped, tmp_path):
    put(cache, key(), zipped[:-500])
    assert cache.get(key()) is None
    assert entries(tmp_path) == []


def test_a_stale_entry_is_dropped(tmp_path, zipped):
    cache = ResultCache(tmp_path / "cache", max_age_s=100)
    put(cache, key(), zipped)
    (path,) = (tmp_path / "cache").iterdir()
    os.utime(path, (time.time() - 99,) * 2)
    assert cache.get(key()) is not None
    os.utime(path, (time.time() - 101,) * 2)
    assert cache.get(key()) is None
    assert entries(tmp_path) == []


def test_what_was_used_longest_ago_makes_room(tmp_path, zipped):
    cache = ResultCache(tmp_path / "cache", max_bytes=int(3.5 * len(zipped)))
    for age, name in enumerate("abc"):
        put(cache, key(name), zipped)
        os.utime(next((tmp_path / "cache").glob(f"{key(name)}*")), (time.time() - 50 + age,) * 2)
    assert cache.get(key("a")) is not None  # now it is the one used last
    put(cache, key("d"), zipped)
    assert [cache.get(key(name)) is not None for name in "abcd"] == [True, False, True, True]


def test_older_formats_and_leftovers_go(tmp_path, cache, zipped):
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / f"{key('f')}.v0.zip").write_bytes(zipped)
    (folder / "result-dead.part").write_bytes(zipped)
    os.utime(folder / "result-dead.part", (time.time() - 4000,) * 2)
    coming = cache.new_file()
    put(cache, key(), zipped)
    assert entries(tmp_path) == sorted([f"{key()}.v1.zip", coming.name])


def test_emptying_leaves_what_is_not_its_own(tmp_path, cache, zipped):
    put(cache, key(), zipped)
    (tmp_path / "cache" / "holiday.zip").write_bytes(b"mine")
    cache.clear()
    assert entries(tmp_path) == ["holiday.zip"]
    cache.clear()


def test_a_folder_that_cannot_be_is_told_once_it_matters(tmp_path):
    (tmp_path / "file").write_text("")
    cache = ResultCache(tmp_path / "file" / "cache")
    assert cache.get(key()) is None
    assert cache.size_bytes() == 0
    with pytest.raises(Problem) as caught:
        cache.new_file()
    assert caught.value.code == "disk"
