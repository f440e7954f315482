"""Zips that strangers send."""

import struct
import zipfile

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.readers import archive
from perfusynth.readers.read import read_scan


def zipped(folder, target, names=None):
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as z:
        for k, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
            # A ZipInfo keeps any name; ZipFile.write would tidy it.
            z.writestr(zipfile.ZipInfo(names[k] if names else str(path.relative_to(folder))), path.read_bytes())
    return target


def code_of(path) -> str:
    with pytest.raises(InputError) as caught:
        read_scan(path)
    return caught.value.code


@pytest.fixture
def series(write_series, along_z, tmp_path):
    return write_series(tmp_path / "in" / "deep" / "er", along_z(np.arange(6) * 5.0))


def test_a_zip_reads_like_its_folder(series, tmp_path):
    path = zipped(tmp_path / "in", tmp_path / "study.zip")
    scan, folder = read_scan(path), read_scan(tmp_path / "in")
    np.testing.assert_array_equal(scan.volume.array, folder.volume.array)
    assert scan.source_sha256 == folder.source_sha256
    assert scan.kind == "dicom"


@pytest.mark.parametrize("name", ["../../evil.dcm", "/etc/evil", "a/../../evil", "..\\evil", "C:\\evil"])
def test_a_path_out_of_the_folder_is_refused(name, series, tmp_path):
    path = zipped(series, tmp_path / "evil.zip", [name, *map(str, range(5))])
    assert code_of(path) == "unsafe_archive"


def test_a_link_is_refused(tmp_path):
    entry = zipfile.ZipInfo("link")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as z:
        z.writestr(entry, "/etc/passwd")
    assert code_of(tmp_path / "link.zip") == "unsafe_archive"


def test_a_bomb_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("bomb", bytes(64 * 2**20))
    assert code_of(tmp_path / "bomb.zip") == "archive_too_large"


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "RATIO_FREE_BYTES", 1000)
    monkeypatch.setattr(archive, "MAX_RATIO", 2)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("bomb", bytes(100_000))
    content = path.read_bytes().replace(struct.pack("<I", 100_000), struct.pack("<I", 10))
    path.write_bytes(content)
    assert code_of(path) in {"archive_too_large", "bad_archive"}


def test_too_many_files_are_refused(series, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILES", 5)
    assert code_of(zipped(series, tmp_path / "many.zip")) == "archive_too_large"


def test_an_empty_or_damaged_zip_is_refused(series, tmp_path):
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    assert code_of(tmp_path / "empty.zip") == "no_images"
    path = zipped(series, tmp_path / "cut.zip")
    path.write_bytes(path.read_bytes()[:-40])
    assert code_of(path) == "bad_archive"


def test_nothing_is_left_behind(series, tmp_path, monkeypatch):
    import tempfile

    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    read_scan(zipped(series, tmp_path / "study.zip"))
    assert list((tmp_path / "tmp").iterdir()) == []
