"""The module's own panel, clicked through by a person against the real server: from Connect to what is kept."""

import hashlib
import json
import re
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import nibabel as nib
import numpy as np
import pytest
import quick_servers
import slicer
from panel import Person, mask_ml, ml
from quick_server import OFFSET_MM, RADIUS_MM
from small_scan import small_scan

BALL_ML = 4 / 3 * np.pi * (RADIUS_MM / 10) ** 3


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with quick_servers.quick(tmp_path_factory.mktemp("quick")) as started:
        yield started


@pytest.fixture(scope="module")
def reading(tmp_path_factory, server):
    """Somebody who has synthesised the phantom's CT and sees the maps."""
    quick_servers.order(server, "")
    somebody = Person(tmp_path_factory.mktemp("reading"))
    somebody.connect_to(server.url)
    somebody.node = somebody.load_phantom()
    somebody.synthesize()
    somebody.wait_for_maps()
    yield somebody
    somebody.close()


# --- from Connect to numbers


def test_numbers_are_those_of_the_maps(reading):
    assert ml(reading.number("Tmax > 6 s")) == pytest.approx(BALL_ML, rel=0.06)
    assert ml(reading.number("Tmax > 8 s")) == 0
    assert reading.number("Side") == "left hemisphere"
    region = reading.session.reader.region
    affine = reading.session.reader.reading.tmax.affine
    assert ml(reading.number("Tmax > 6 s")) == pytest.approx(mask_ml(region, affine), abs=0.06)
    places = np.argwhere(region).mean(axis=0) @ affine[:3, :3].T + affine[:3, 3]
    assert places[0] < -OFFSET_MM / 2, "the ball lies on the patient's left, where x of RAS is negative"


def test_numbers_are_the_servers_own(reading):
    told = json.loads(json.dumps(reading.session.reader.reading.state.measurements))
    for threshold, volume in told["volumes_ml"].items():
        assert ml(reading.number(f"Tmax > {threshold} s")) == pytest.approx(volume, abs=0.1)
    assert ml(reading.number("Core estimate")) == pytest.approx(told["core"]["ml"], abs=0.1)


def test_the_banner_cannot_be_missed(reading):
    assert reading.ui.bannerLabel.text.splitlines() == [
        "SYNTHETIC - research use only",
        "Trained on simulated patients, not valid for this patient",
    ]
    assert not reading.ui.bannerLabel.isHidden()


def test_nothing_that_names_the_patient_reaches_the_server(reading, server):
    seen = [path.read_bytes() for path in server.work.rglob("*") if path.is_file()]
    seen += [server.log.read_bytes(), *(str(path).encode() for path in server.work.rglob("*"))]
    assert seen
    assert not any(b"DOE" in content or b"JANE" in content for content in seen)


def test_a_threshold_is_raw_at_once_and_cleaned_a_moment_later(reading):
    ui, reader = reading.ui, reading.session.reader
    reading.program.click(ui.threshold4Button)
    assert reader.threshold_s == 4
    assert ui.thresholdSlider.value == 4
    assert ui.threshold4Button.checked
    assert not ui.threshold6Button.checked
    reading.program.wait(lambda: "Provisional" in ui.numbersStateLabel.text or reader.settled)
    reading.program.wait(lambda: reader.settled and "Cleaned" in ui.numbersStateLabel.text)
    ui.thresholdSlider.value = 7.3
    reading.program.wait(lambda: reader.settled)
    assert ml(reading.number("Tmax > 7.3 s")) == pytest.approx(BALL_ML, rel=0.06)
    reading.program.click(ui.threshold6Button)
    reading.program.wait(lambda: reader.settled)


def test_keys_move_the_threshold_while_the_module_is_open(reading):
    reader, shortcuts = reading.session.reader, reading.program.widget.sections._shortcuts._shortcuts
    keys = {shortcut.key.toString(): shortcut for shortcut in shortcuts}
    assert set(keys) == {"4", "6", "8", "0", ",", ".", "X", "C", "Z", "M"}
    keys["8"].activated.emit()
    assert reader.threshold_s == 8
    keys["."].activated.emit()
    assert reader.threshold_s == 8.5
    keys["X"].activated.emit()
    assert reader.fill > 0
    keys["X"].activated.emit()
    assert reader.fill == 0
    keys["6"].activated.emit()
    reading.program.widget.exit()
    assert not any(shortcut.enabled for shortcut in shortcuts)
    reading.program.widget.enter()
    assert all(shortcut.enabled for shortcut in shortcuts)
    reading.program.wait(lambda: reader.settled)


def test_intervals_are_withheld_with_the_reason_or_shown(reading):
    told = reading.session.reader.reading.state.measurements["intervals"]
    if told.get("withheld"):
        assert told["withheld"] in reading.ui.notesLabel.text
        assert reading.ui.numbersTable.isColumnHidden(2)
    else:
        assert "to" in reading.interval("Tmax > 6 s")


def test_the_cursor_tells_both_sides(reading):
    affine = reading.session.reader.reading.tmax.affine
    inside = np.argwhere(reading.session.reader.region).mean(axis=0)
    ras = affine[:3, :3] @ inside + affine[:3, 3]
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCursorPositionRAS(ras)
    here, mirrored = reading.ui.probeLabel.text.splitlines()
    assert "Tmax 8.0 s" in here
    assert "CBF 12" in here
    assert "Tmax 2.0 s" in mirrored
    assert "CBF 50" in mirrored


def test_the_same_ct_is_not_sent_twice(reading, server):
    before = len(re.findall(r"POST /jobs", server.log.read_text()))
    reading.program.click(reading.ui.applyButton)
    order = reading.session.orders.all[-1]
    reading.program.wait(lambda: not order.active)
    assert "nothing was sent" in order.text
    assert len(re.findall(r"POST /jobs", server.log.read_text())) == before
    reading.program.wait(lambda: reading.session.reader.settled)


def test_an_edited_region_is_measured_and_the_original_kept(reading):
    reader = reading.session.reader
    reading.program.wait(lambda: reader.settled)
    before = ml(reading.number("Tmax > 6 s"))
    reading.program.click(reading.ui.editButton)
    assert reading.program.selected_modules[-1] == "SegmentEditor"
    editor = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    segmentation = editor.GetSegmentationNode()
    segment = segmentation.GetSegmentation().GetSegment(editor.GetSelectedSegmentID())
    image = segment.GetRepresentation("Binary labelmap")
    from vtk.util.numpy_support import vtk_to_numpy

    # An eraser's stroke: half of the slices that hold the region are emptied.
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    filled = np.flatnonzero(voxels.any(axis=(1, 2)))
    voxels[filled[: len(filled) // 2]] = 0
    left = voxels.sum() * mask_ml(np.ones(1), reader.reading.tmax.affine)
    image.GetPointData().GetScalars().Modified()
    segmentation.GetSegmentation().InvokeEvent(slicer.vtkSegmentation.SourceRepresentationModified)
    reading.program.wait(lambda: reader.edited and reader.settled)
    assert 0 < left < before
    assert ml(reading.number("Edited region (from Tmax > 6 s)")) == pytest.approx(left, abs=0.06)
    assert ml(reading.number("Tmax > 6 s")) == before
    reading.program.click(reading.ui.originalButton)
    reading.program.wait(lambda: reader.settled and not reader.edited)
    assert ml(reading.number("Tmax > 6 s")) == before


def test_report_and_maps_are_written_and_name_no_patient(reading, tmp_path):
    reading.program.qt.QFileDialog.answer = str(tmp_path / "report.html")
    reading.program.click(reading.ui.reportButton)
    page = (tmp_path / "report.html").read_text()
    assert "SYNTHETIC - research use only" in page
    assert reading.number("Tmax > 6 s") in page
    assert "data:image/png;base64," in page
    reading.program.qt.QFileDialog.answer = str(tmp_path)
    reading.program.click(reading.ui.mapsButton)
    names = {path.name for path in tmp_path.glob("SYNTHETIC_*")}
    assert names == {
        "SYNTHETIC_tmax.nii.gz", "SYNTHETIC_cbf.nii.gz", "SYNTHETIC_brain.nii.gz", "SYNTHETIC_core.nii.gz",
        "SYNTHETIC_tmax_over_6s.nii.gz", "SYNTHETIC_measurements.json",
    }  # fmt: skip
    image = nib.load(tmp_path / "SYNTHETIC_tmax.nii.gz")
    assert np.allclose(image.affine, small_scan().affine, atol=1e-3)
    assert image.get_fdata().max() == pytest.approx(8)
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"DOE^JANE" not in everything


def test_the_scene_comes_back_as_it_was(reading, tmp_path):
    reader = reading.session.reader
    reading.program.click(reading.ui.threshold8Button)
    reading.ui.fillSlider.value = 30
    reading.program.wait(lambda: reader.settled)
    numbers = [tuple(row) for row in reader.words.rows]
    assert slicer.mrmlScene.WriteToMRB(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    assert reader.reading is None
    assert reading.ui.numbersTable.rowCount == 0
    reading.program.desktop.load(tmp_path / "scene.mrb")
    reading.program.wait(lambda: reader.reading is not None and reader.settled)
    assert reader.threshold_s == 8
    assert reader.fill == pytest.approx(0.3)
    assert reading.ui.thresholdSlider.value == 8
    assert [tuple(row) for row in reader.words.rows] == numbers
    reading.program.click(reading.ui.threshold6Button)
    reading.program.wait(lambda: reader.settled)


def test_the_phantom_is_offered_in_sample_data(reading):
    (source,) = reading.program.sample_sources
    path = Path(url2pathname(urlparse(source["uris"]).path))
    assert f"SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}" == source["checksums"]
    assert Path(source["thumbnailFileName"]).is_file()


def test_the_model_card_opens(reading):
    from PerfuSynthLib.widget_synthesize import _CardWindow

    reading.program.click(reading.ui.cardButton)
    reading.program.wait(lambda: _CardWindow.window is not None and _CardWindow.window.visible)
    assert len(_CardWindow.window.toPlainText()) > 500
    _CardWindow.window.close()
