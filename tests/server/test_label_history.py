"""Labels of the datastore: no reader's work is lost, neither to another's nor to a crash."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from perfusynth.server.case_datastore import CaseDatastore


@pytest.fixture
def store(tmp_path) -> CaseDatastore:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "plain.nii.gz").write_bytes(b"x")
    return CaseDatastore(tmp_path / "studies", 0)


def save(store: CaseDatastore, folder, text: str, ending: str = ".nii.gz", tag: str = "final") -> None:
    path = folder / f"{text}{ending}"
    path.write_bytes(text.encode())
    store.save_label("plain", str(path), tag, {"note": text})


def history(tmp_path, tag: str = "final") -> dict[str, str]:
    folder = tmp_path / "studies" / ".perfusynth" / "label_history" / tag / "plain"
    return {path.name: path.read_text() for path in sorted(folder.glob("*"))}


def test_each_label_that_is_replaced_is_kept_with_what_was_known_of_it(store, tmp_path):
    for text in ("first", "second", "third"):
        save(store, tmp_path, text)
    assert store.earlier_labels("plain", "final") == 2
    kept = history(tmp_path)
    assert (kept["0001.nii.gz"], kept["0002.nii.gz"]) == ("first", "second")
    assert json.loads(kept["0002.info.json"])["note"] == "second"
    assert store.get_label("plain", "final").read() == b"third"
    assert store.get_label_info("plain", "final")["note"] == "third"


def test_another_ending_takes_the_place_of_the_first(store, tmp_path):
    save(store, tmp_path, "first", ".tfm", "registration")
    save(store, tmp_path, "second", ".json", "registration")
    labels = tmp_path / "studies" / ".perfusynth" / "labels" / "registration"
    assert [path.name for path in labels.iterdir()] == ["plain.json"]
    assert history(tmp_path, "registration")["0001.tfm"] == "first"
    save(store, tmp_path, "third", ".json", "registration")
    assert history(tmp_path, "registration")["0002.json"] == "second", "a .json label beside its own note"


def test_tags_and_restarts_have_one_history_each(store, tmp_path):
    save(store, tmp_path, "first")
    save(store, tmp_path, "other", tag="hypoperfusion-edited")
    again = CaseDatastore(tmp_path / "studies", 0)
    save(again, tmp_path, "second")
    assert again.earlier_labels("plain", "final") == 1
    assert again.earlier_labels("plain", "hypoperfusion-edited") == 0
    assert set(again.list_images()) == {"plain"}, "the history is not taken for labels or images"


def test_the_index_is_replaced_as_a_whole(store, tmp_path):
    index = tmp_path / "studies" / ".perfusynth" / "datastore_v2.json"
    save(store, tmp_path, "first")
    os.link(index, tmp_path / "before.json")
    before = index.read_text()
    save(store, tmp_path, "second")
    assert (tmp_path / "before.json").read_text() == before, "a crash while it is written leaves the old one"
    assert json.loads(index.read_text()) != json.loads(before)


def test_many_readers_at_once_lose_nothing(store, tmp_path):
    with ThreadPoolExecutor(8) as readers:
        list(readers.map(lambda n: save(store, tmp_path, f"text{n}"), range(24)))
    kept = {text for name, text in history(tmp_path).items() if name.endswith(".nii.gz")}
    assert kept | {store.get_label("plain", "final").read().decode()} == {f"text{n}" for n in range(24)}
