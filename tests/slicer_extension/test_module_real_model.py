"""From Connect to numbers with the server as `perfusynth serve` starts it, the shipped model and shipped phantom."""

import pytest
import quick_servers
import servers
import slicer
from panel import Person, ml

START = "from pathlib import Path; from perfusynth.server.start import start; start(Path('{studies}'), port={port})"


@pytest.fixture(scope="module")
def person(tmp_path_factory):
    base = tmp_path_factory.mktemp("real")
    (base / "studies").mkdir()
    with servers.running(base, ["-c", START]) as server:
        somebody = Person(base / "slicer")
        somebody.connect_to(server.url)
        yield somebody
        somebody.close()


def test_the_shipped_phantom_is_synthesised_and_measured(person):
    from PerfuSynthLib.nifti_file import read_nifti
    from PerfuSynthLib.node_geometry import set_volume

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "phantom")
    set_volume(node, read_nifti(quick_servers.PHANTOM / "ncct.nii.gz"))
    person.ui.volumeSelector.setCurrentNode(node)
    person.synthesize()
    person.wait_for_maps(400)
    reader = person.session.reader
    told = reader.reading.state.measurements
    # The server knows its phantom by the hash of the voxels: not a bit was lost on the way.
    assert told["input"]["is_phantom"]
    for threshold, volume in told["volumes_ml"].items():
        assert ml(person.number(f"Tmax > {threshold} s")) == pytest.approx(volume, abs=0.1)
    assert told["model"]["name"] in person.ui.taskBox.currentText
    assert reader.facts.made_by.startswith(told["model"]["name"])
    for remark in reader.facts.warnings:
        assert remark.text in person.ui.warningsLabel.text
