"""Bundles from elsewhere: known files come in whole, everything else is refused and leaves nothing."""

import io
import json
import os
import zipfile

import pytest
from variants import variant

from perfusynth.errors import InputError
from perfusynth.generators.registry import live_bundle
from perfusynth.promotion import bundle_form
from perfusynth.promotion.install import install


@pytest.fixture
def source(tiny, tmp_path):
    return variant(tiny, tmp_path / "from-elsewhere", 1).path


def packed(folder, target, top: str = "", **more: bytes):
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, top + path.relative_to(folder).as_posix())
        for name, content in more.items():
            archive.writestr(name, content)
    return target


def refused(home, source, **arguments) -> str:
    before = sorted((home / "models").glob("*")) if home.exists() else []
    with pytest.raises(InputError) as caught:
        install(source, **arguments)
    assert sorted((home / "models").glob("*")) == before, "nothing is left behind"
    return caught.value.code


def edit(path, change) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(change(content)))


@pytest.mark.parametrize("form", ["folder", "zip", "zip with a top folder"])
def test_a_bundle_is_installed_and_not_live(home, source, tmp_path, form):
    if form != "folder":
        source = packed(source, tmp_path / "from-elsewhere.zip", "any name/" if "top" in form else "")
    bundle = install(source)
    assert bundle.path == home / "models" / "from-elsewhere"
    bundle.verify()
    assert live_bundle("from-elsewhere").path == bundle.path
    assert live_bundle("ncct_perfusion").name == "ncct_perfusion_compact"
    assert refused(home, source) == "exists"
    assert refused(home, source, name="ncct_perfusion_compact") == "exists", "no shipped model is shadowed"
    assert install(source, name="second").name == "second"


@pytest.mark.parametrize("name", ["../up", ".hidden", "a/b", "", "x" * 65, "name with blanks"])
def test_names_that_could_be_paths_are_refused(home, source, name):
    assert refused(home, source, name=name or "-") == "bad_model_name"


@pytest.mark.parametrize(
    "name", ["scripts/run.py", "configs/evil.py", "configs/inference.json", "models/model.pt", "models/a/b.safetensors"]
)
def test_files_that_no_bundle_has_are_refused(home, source, tmp_path, name):
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    (source / name).write_bytes(b"x")
    assert refused(home, source) == "unknown_file"
    assert refused(home, packed(source, tmp_path / "a.zip")) == "unknown_file"


@pytest.mark.parametrize("name", ["../../evil", "/evil", "c:/evil", "..\\..\\evil", "top/../../evil"])
def test_a_zip_that_climbs_is_refused(home, source, tmp_path, name):
    assert refused(home, packed(source, tmp_path / "a.zip", **{name: b"x"})) == "unsafe_archive"
    assert not list(tmp_path.rglob("evil"))


def test_links_are_refused(home, source, tmp_path):
    link = zipfile.ZipInfo("configs/intervals.json")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(packed(source, tmp_path / "a.zip"), "a") as archive:
        archive.writestr(link, "/etc/passwd")
    assert refused(home, tmp_path / "a.zip") == "unsafe_archive"
    os.symlink("/etc/passwd", source / "configs" / "intervals.json")
    assert refused(home, source) == "unsafe_archive"


def test_a_file_that_comes_twice_is_refused(home, source, tmp_path):
    path = packed(source, tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("configs/metadata.json", b"{}")
    assert refused(home, path) == "unsafe_archive"


def test_what_unpacks_to_too_much_is_refused(home, source, tmp_path, monkeypatch):
    monkeypatch.setattr(bundle_form, "MAX_TEXT_BYTES", 1 << 20)
    (source / "docs").mkdir(exist_ok=True)
    (source / "docs" / "README.md").write_bytes(bytes(3 << 20))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in source.rglob("*.*"):
            archive.write(path, path.relative_to(source).as_posix())
    assert refused(home, tmp_path / "a.zip") == "bundle_too_large"


def damaged_zip(source, tmp_path):
    content = packed(source, tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content[: len(content) // 2])
    return tmp_path / "a.zip"


def test_no_zip_damaged_zip_and_nothing_are_refused(home, source, tmp_path):
    assert refused(home, damaged_zip(source, tmp_path)) == "bad_archive"
    (tmp_path / "text.zip").write_text("not a zip")
    assert refused(home, tmp_path / "text.zip") == "bad_archive"
    assert refused(home, tmp_path / "nowhere") == "no_bundle"


@pytest.mark.parametrize(
    "train",
    [
        {"run": {"_target_": "os.system", "command": "id"}},
        {"run": {"_target_": "perfusynth.training.run", "steps": "$__import__('os').system('id')"}},
        {"run": {"_target_": "perfusynth.training.run", "phases": [{"_target_": "subprocess.run"}]}},
        {"run": {"_target_": "perfusynth.training.run", "_requires_": {"a": "b"}}},
        {"run": {"_target_": "perfusynth.training.run", "bundle": "@other::value"}},
        {"run": {"_target_": "perfusynth.training.run", "bundle": "%other.json::value"}},
        {"run": {"_target_": "perfusynth.training.run"}, "imports": ["$import os"]},
        {"run": {"_target_": "perfusynth.training.run", "task": {"_target_": "perfusynth.training.run"}}},
        {"initialize": ["$1"]},
        [["run"]],
        None,
    ],
)
def test_a_train_json_that_could_execute_anything_else_is_refused(home, source, train):
    (source / "configs" / "train.json").write_text(json.dumps(train))
    assert refused(home, source) in ("executable_bundle", "bad_train_json")


def test_expressions_in_other_files_are_refused(home, source):
    (source / "configs" / "intervals.json").write_text(json.dumps({"table": [[1, {"_target_": "os.system"}]]}))
    assert refused(home, source) == "executable_bundle"
    for text in ("[" * 100_000, "[" * 900 + "]" * 900):
        (source / "configs" / "intervals.json").write_text(text)
        assert refused(home, source) == "bad_bundle"


def test_weights_must_be_tensors_and_those_of_the_metadata(home, source):
    (file,) = (source / "models").iterdir()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert refused(home, source) == "weights_changed"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as pickled:
        pickled.writestr("archive/data.pkl", b"cos\nsystem\n(S'id'\ntR.")
    file.write_bytes(buffer.getvalue())
    assert refused(home, source) == "bad_weights"
    file.unlink()
    assert refused(home, source) == "bad_weights"


def test_metadata_of_something_else_is_refused(home, source):
    edit(source / "configs" / "metadata.json", lambda metadata: {"version": "1"})
    assert refused(home, source) == "bad_bundle"
