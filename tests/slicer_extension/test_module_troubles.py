"""What can go wrong at the panel, and what a person is told: nothing hangs, no tracebacks, all work can be stopped."""

import os
import signal
import unittest

import nibabel as nib
import numpy as np
import pytest
import quick_servers
import slicer
from faulty_wire import FaultyWire
from panel import MODULE_FILE, Person
from PerfuSynthLib.nifti_file import write_nifti
from servers import wait_for
from small_scan import small_scan

#: A server whose queue is full with one job waiting.
SMALL = {"PERFUSYNTH_MAX_QUEUE": "1"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The server, with a token for each role and a short queue."""
    with quick_servers.quick(tmp_path_factory.mktemp("guarded"), ("user", "annotator"), **SMALL) as started:
        yield started


@pytest.fixture
def person(tmp_path, server):
    quick_servers.order(server, "")
    somebody = Person(tmp_path / "slicer")
    yield somebody
    somebody.close()


def connected(person, server, role="user", url=""):
    person.connect_to(url or server.url, server.tokens[role])
    return person


def states(server) -> list[str]:
    """Of all jobs that the server's log names, as their owner sees them."""
    ids = {word for line in server.log.read_text().splitlines() for word in line.split() if word.startswith("job=")}
    return [server.call("GET", f"/jobs/{job.removeprefix('job=')}").json().get("state") for job in sorted(ids)]


def test_the_self_test_of_the_desktop_program_passes(person):
    folder = MODULE_FILE.parent / "Testing" / "Python"
    tests = unittest.TestLoader().discover(str(folder), pattern="*Test.py")
    result = unittest.TextTestRunner().run(tests)
    assert result.testsRun == 2
    assert result.wasSuccessful()
    person.program.module.PerfuSynthTest("runTest").runTest()


def test_what_is_wrong_with_the_connection_is_told_with_what_to_do(person, server):
    person.connect_to(server.url, "", expect="token")
    assert person.ui.connectSection.text == "Connect: failed"
    assert not person.ui.applyButton.enabled
    person.connect_to("http://server.hospital:8000", expect="unencrypted")
    person.connect_to(f"{server.url}/elsewhere", server.tokens["user"], expect="no PerfuSynth server")
    person.connect_to(server.url, server.tokens["user"])
    assert person.ui.connectSection.collapsed


def test_a_token_is_remembered_only_when_told_to(person, server, tmp_path):
    connected(person, server)
    token = server.tokens["user"].encode()

    def kept():
        return [path for path in (tmp_path / "slicer").rglob("*") if path.is_file() and token in path.read_bytes()]

    assert kept() == []
    person.ui.rememberTokenBox.setChecked(True)
    connected(person, server)
    person.program.wait(kept)
    assert [path.name for path in kept()] == ["PerfuSynth-tokens.json"]
    assert kept()[0].stat().st_mode & 0o077 == 0


def test_nothing_is_sent_without_consent_and_it_is_asked_once(person, server):
    connected(person, server)
    person.load_phantom()
    person.synthesize(consent=False)
    assert person.session.orders.all == []
    asked = sum("Send images to this server" in message for message in person.program.messages)
    assert asked == 1
    person.synthesize(consent=True)
    person.wait_for_maps()
    person.ui.volumeSelector.setCurrentNode(person.load_phantom())
    person.synthesize(consent=False)
    assert len(person.session.orders.all) == 2
    assert sum("Send images to this server" in message for message in person.program.messages) == 2


def test_what_is_no_head_ct_is_told_before_it_is_sent(person, server):
    connected(person, server)
    image = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "thin")
    from PerfuSynthLib.grid_volume import GridVolume
    from PerfuSynthLib.node_geometry import set_volume

    set_volume(image, GridVolume(np.zeros((64, 64, 3), np.int16), np.eye(4)))
    person.ui.volumeSelector.setCurrentNode(image)
    person.program.wait(lambda: "3 slices" in person.ui.studyLabel.text)
    assert not person.ui.applyButton.enabled


def test_cancel_stops_the_servers_work_too(person, server):
    quick_servers.order(server, "sleep 120")
    connected(person, server)
    person.load_phantom()
    person.synthesize()
    person.program.wait(lambda: "synthesising" in person.ui.stageLabel.text)
    assert person.ui.applyButton.text == "Cancel"
    person.program.click(person.ui.applyButton)
    person.program.wait(lambda: person.ui.applyButton.text.startswith("Synthesize"))
    assert person.session.orders.all[-1].text == "Cancelled"
    wait_for(lambda: server.call("GET", "/health").json()["status"] == "ok", 60)
    quick_servers.order(server, "")
    person.synthesize()
    person.wait_for_maps()
    assert [order.text for order in person.session.orders.all] == ["Cancelled", "Done"]


def test_a_full_queue_is_waited_for_and_the_panel_says_so(person, server, tmp_path):
    quick_servers.order(server, "sleep 120")
    connected(person, server)
    write_nifti(tmp_path / "scan.nii.gz", small_scan())
    ahead = [server.submit((tmp_path / "scan.nii.gz").read_bytes()) for _ in range(2)]
    wait_for(lambda: server.call("GET", f"/jobs/{ahead[0]}").json()["state"] == "running")
    person.load_phantom()
    person.synthesize()
    person.program.wait(lambda: "busy" in person.ui.stageLabel.text, 120)
    quick_servers.order(server, "")
    for job in ahead:
        server.call("DELETE", f"/jobs/{job}")
    person.program.wait(lambda: person.session.reader.settled, 120)


def test_scans_queue_and_a_finished_one_is_shown_again(person, server):
    quick_servers.order(server, "sleep 1")
    connected(person, server)
    person.load_phantom()
    person.synthesize()
    second = person.load_phantom(brighter_hu=1)
    person.synthesize()
    first, last = person.session.orders.all
    assert person.ui.ordersTable.rowCount == 2
    person.program.wait(lambda: not first.active and not last.active and person.session.reader.settled, 240)
    assert person.session.reader.reading.ncct_node is second
    volumes = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    person.ui.ordersTable.cellDoubleClicked.emit(0, 1)
    person.program.wait(lambda: person.session.reader.settled)
    assert person.session.reader.reading.ncct_node.GetID() == first.volume_id
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == volumes


def test_a_result_does_not_take_the_views_from_another_module(person, server):
    connected(person, server)
    person.load_phantom()
    person.synthesize()
    person.program.widget.exit()
    person.program.wait(lambda: person.session.orders.all[0].text == "Done")
    assert person.session.reader.reading is None
    person.program.widget.enter()
    person.wait_for_maps()
    assert person.session.reader.reading is not None


def test_a_slow_network_is_shown_and_can_be_cancelled(person, server):
    with FaultyWire(server.url) as wire:
        connected(person, server, url=wire.url)
        person.load_phantom()
        wire.upload_bytes_s = 200_000.0
        person.synthesize()
        person.program.wait(lambda: "Sending the CT" in person.ui.stageLabel.text)
        person.program.click(person.ui.applyButton)
        wire.upload_bytes_s = None
        assert person.session.orders.all[-1].text == "Cancelled"
        assert person.session.reader.reading is None


def test_a_spoiled_answer_is_told_and_shows_nothing(person, server):
    with FaultyWire(server.url) as wire:
        connected(person, server, url=wire.url)
        person.load_phantom()
        wire.spoil = True
        person.synthesize()
        person.program.wait(lambda: person.ui.orderProblemLabel.text)
        assert "damaged" in person.ui.orderProblemLabel.text
        assert "Traceback" not in person.ui.orderProblemLabel.text
        assert person.session.reader.reading is None


def test_a_study_of_the_server_is_read_and_its_edited_region_sent_back(person, server):
    connected(person, server, role="user")
    person.choose_study(quick_servers.STUDY)
    person.synthesize(consent=False)
    person.wait_for_maps()
    assert not any("Send images" in message for message in person.program.messages), "the image stayed where it was"
    assert not person.ui.sendLabelButton.enabled
    reader, keeper = person.session.reader, person.session.keeper
    half = reader.region.copy()
    half[:, :, : int(np.argwhere(half)[:, 2].mean())] = False
    write_as_editor(reader, half)
    person.program.wait(lambda: reader.edited and reader.settled)
    person.program.answers["Send images to this server"] = True
    person.program.wait(lambda: person.ui.sendLabelButton.enabled)
    person.program.click(person.ui.sendLabelButton)
    person.program.wait(lambda: keeper.failed and keeper.text == person.ui.keepLabel.text)
    assert "role annotator" in person.ui.keepLabel.text
    connected(person, server, role="annotator")
    person.program.wait(lambda: person.ui.sendLabelButton.enabled)
    person.program.click(person.ui.sendLabelButton)
    person.program.wait(lambda: "keeps the region" in person.ui.keepLabel.text)
    labels = [path for path in server.studies.rglob("*.nii.gz") if "hypoperfusion-edited" in str(path)]
    assert len(labels) == 1
    assert np.array_equal(np.asarray(nib.load(labels[0]).dataobj) > 0, half)


def test_a_server_that_dies_midway_is_told(person, server):
    """The last test of this file: it takes the server along."""
    quick_servers.order(server, "sleep 120")
    connected(person, server)
    person.load_phantom()
    person.session.orders._queue._pace = person.session.orders._queue._pace._replace(outage_s=2.0)
    person.synthesize()
    person.program.wait(lambda: "synthesising" in person.ui.stageLabel.text)
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    person.program.wait(lambda: "tried again" in person.ui.stageLabel.text or person.ui.orderProblemLabel.text)
    person.program.wait(lambda: person.ui.orderProblemLabel.text)
    assert "server" in person.ui.orderProblemLabel.text
    assert person.ui.applyButton.text.startswith("Synthesize")


def write_as_editor(reader, mask: np.ndarray) -> None:
    """Change the region's segment in the scene as Segment Editor does: its labelmap is written, and an event told."""
    segmentation = reader.reading.regions.segments.node.GetSegmentation()
    image = segmentation.GetSegment("hypoperfusion").GetRepresentation("Binary labelmap")
    from vtk.util.numpy_support import vtk_to_numpy

    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]).T
    voxels[...] = mask
    image.GetPointData().GetScalars().Modified()
    segmentation.InvokeEvent(slicer.vtkSegmentation.SourceRepresentationModified)
