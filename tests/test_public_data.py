"""Public data is found beside the checkout, else fetched and checked."""

import hashlib
import json

import pooch
import pytest

import perfusynth.public_data as module
from perfusynth.errors import InputError
from perfusynth.public_data import public_data as find_data
from perfusynth.public_data import registry


@pytest.fixture
def item(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    (source / "01.dcm").write_bytes(b"slice")
    facts = {"sha256": hashlib.sha256(b"slice").hexdigest(), "remote": "01.dcm", "bytes": 5}
    known = {
        "one": {
            "source": "s",
            "bases": ["http://a.invalid/x/", "http://b.invalid/y/"],
            "files": {"dicom/01.dcm": facts},
        }
    }
    monkeypatch.setattr(module, "registry", lambda: known)
    monkeypatch.delenv("PERFUSYNTH_DATA", raising=False)
    return source, facts


def test_the_folder_beside_the_checkout_comes_first(tmp_path, monkeypatch):
    (tmp_path / "ge_ncct_tilt").mkdir()
    monkeypatch.setenv("PERFUSYNTH_DATA", str(tmp_path))
    assert find_data("ge_ncct_tilt") == tmp_path / "ge_ncct_tilt"


def test_files_are_fetched_from_the_second_source_and_checked(item, tmp_path, monkeypatch):
    class Local:
        def __init__(self, **options):
            assert options["timeout"] > 0

        def __call__(self, url, output, pooch):
            if url.startswith("http://a"):
                raise OSError("404")
            with open(output, "wb") as file:
                file.write((item[0] / "01.dcm").read_bytes())

    monkeypatch.setattr(pooch, "HTTPDownloader", Local)
    folder = find_data("one", cache=tmp_path / "cache")
    assert (folder / "dicom" / "01.dcm").read_bytes() == b"slice"
    (folder / "dicom" / "01.dcm").unlink()
    (item[0] / "01.dcm").write_bytes(b"other")
    with pytest.raises(InputError) as caught:
        find_data("one", cache=tmp_path / "cache")
    assert caught.value.code == "fetch_failed"
    assert not (folder / "dicom" / "01.dcm").exists()


def test_no_network_is_a_clear_refusal(item, tmp_path):
    with pytest.raises(InputError) as caught:  # names under .invalid never resolve (RFC 2606)
        find_data("one", cache=tmp_path)
    assert caught.value.code == "fetch_failed"
    assert "network" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "code"), [("nothing", "unknown_data"), ("philips_phantom_study", "data_not_fetchable")]
)
def test_what_cannot_be_fetched_is_refused(name, code, monkeypatch):
    monkeypatch.delenv("PERFUSYNTH_DATA", raising=False)
    with pytest.raises(InputError) as caught:
        find_data(name)
    assert caught.value.code == code


def test_the_registry_describes_the_data_beside_the_checkout(public_data):
    for name, facts in registry().items():
        assert facts["licence"]
        for file, described in facts["files"].items():
            content = (public_data / name / file).read_bytes()
            assert (len(content), hashlib.sha256(content).hexdigest()) == (described["bytes"], described["sha256"])
    assert len(registry()["ge_ncct_tilt"]["files"]) == 28
    json.dumps(registry())
