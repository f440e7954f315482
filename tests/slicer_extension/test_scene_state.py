"""A scene that is saved and loaded again comes back to the same reading; what is missing or too new is told."""

import numpy as np
import pytest
import slicer
import vtk
from heads import head
from offscreen import Desktop
from PerfuSynthLib import reading_layout as layout
from PerfuSynthLib.node_geometry import array_of
from PerfuSynthLib.problems import Problem
from PerfuSynthLib.reading_scene import Reading
from PerfuSynthLib.region_segments import CORE, HYPOPERFUSION
from PerfuSynthLib.scene_state import SceneState, states_in


@pytest.fixture(scope="module")
def shown():
    return head(spacing=(2.0, 2.0, 4.0))


@pytest.fixture
def desktop():
    made = Desktop((200, 200))
    yield made
    made.close()


def read(desktop, shown):
    node = desktop.add_volume(shown.ncct)
    return Reading.show(desktop.scene, node, shown.result, shown.case.facts, desktop.renderer)


def save_and_load(reading, desktop, path):
    """To an .mrb on disk, and back into a desktop that starts anew."""
    reading.let_go()
    assert desktop.scene.WriteToMRB(str(path))
    desktop.close()
    fresh = Desktop((200, 200))
    layout.add_layouts(fresh.layout)  # as the module does when Slicer starts
    assert fresh.load(path)
    return fresh


def test_a_saved_reading_comes_back_as_it_was(tmp_path, shown):
    first = Desktop((200, 200))
    reading = read(first, shown)
    reading.set_threshold(7.5)
    cleaned = reading.tmax.array > 7.7
    reading.put_cleaned(cleaned)
    reading.set_fill(0.25)
    reading.set_core_visible(False)
    reading.set_map_opacity(0.7)
    view = first.views()[layout.TMAX_VIEW]
    view.logic.SetSliceOffset(-16.0)
    picture = view.pixels()
    was = array_of(view.node.GetSliceToRAS())
    core = reading.regions.segments.mask(CORE)
    fresh = save_and_load(reading, first, tmp_path / "scene.mrb")

    (state,) = states_in(fresh.scene)
    back = Reading.restore(state, fresh.renderer)
    assert back.state["threshold_s"] == 7.5
    assert back.facts.made_by == shown.case.facts.made_by
    assert back.facts.notices == shown.case.facts.notices
    assert back.state.measurements == shown.result.measurements
    for name in ("tmax", "cbf"):
        assert np.array_equal(getattr(back, name).array, shown.result.maps[name].array)
        assert np.allclose(getattr(back, name).affine, shown.result.maps[name].affine, atol=1e-6)
    assert np.array_equal(back.brain.array, shown.result.brain.array)
    assert np.array_equal(back.regions.segments.mask(HYPOPERFUSION), cleaned)
    assert np.array_equal(back.regions.segments.mask(CORE), core)
    display = back.state.node_of("regions").GetDisplayNode()
    assert not display.GetSegmentVisibility(CORE)
    assert display.GetSegmentOpacity2DFill(HYPOPERFUSION) == pytest.approx(0.25)
    seen = fresh.views()[layout.TMAX_VIEW]
    assert np.allclose(array_of(seen.node.GetSliceToRAS()), was)
    assert (np.abs(seen.pixels().astype(int) - picture) > 8).any(axis=-1).mean() < 0.002
    assert back.edited_segment() is None
    assert back.set_threshold(6.0) == pytest.approx(np.count_nonzero(back.tmax.array > 6) * 0.016)
    assert np.array_equal(back.regions.segments.mask(CORE), core)  # the file may hold both in one image
    back.let_go()
    fresh.close()


def test_an_edit_comes_back_as_an_edit_with_its_original(tmp_path, shown):
    first = Desktop((200, 200))
    reading = read(first, shown)
    computed = reading.regions.segments.mask(HYPOPERFUSION)
    drawn = computed & (np.arange(computed.shape[2]) < 18)
    scalars = reading.state.node_of("regions").GetSegmentation().GetSegment(HYPOPERFUSION)
    image = scalars.GetRepresentation("Binary labelmap")
    vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())[:] = drawn.ravel(order="F")
    image.Modified()
    assert np.array_equal(reading.edited_segment(), drawn)
    fresh = save_and_load(reading, first, tmp_path / "scene.mrb")
    back = Reading.restore(states_in(fresh.scene)[0])
    assert np.array_equal(back.edited_segment(), drawn)
    assert np.array_equal(back.regions.computed(), computed)
    back.let_go()
    fresh.close()


def told(state):
    with pytest.raises(Problem) as problem:
        Reading.restore(state)
    return problem.value


def test_a_scene_without_a_map_is_told(desktop, shown):
    reading = read(desktop, shown)
    reading.let_go()
    desktop.scene.RemoveNode(reading.state.node_of("cbf"))
    problem = told(reading.state)
    assert (problem.code, problem.detail) == ("incomplete_scene", "cbf")


def test_damaged_measurements_are_told(desktop, shown):
    reading = read(desktop, shown)
    reading.let_go()
    reading.state.node.SetParameter("measurements", "{")
    assert told(reading.state).code == "incomplete_scene"


def test_a_scene_of_a_newer_program_is_told(desktop, shown):
    reading = read(desktop, shown)
    reading.let_go()
    reading.state.node.SetParameter("version", "2")
    assert told(reading.state).code == "newer_scene"


def test_other_modules_nodes_are_no_readings(desktop):
    other = desktop.scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    other.SetModuleName("SegmentEditor")
    assert states_in(desktop.scene) == []


def test_settings_are_those_that_were_written(desktop):
    node = slicer.vtkMRMLScriptedModuleNode()
    state = SceneState(node)
    assert state["threshold_s"] == 6.0
    assert state["core_visible"] is True
    state["core_visible"] = False
    assert state["core_visible"] is False
    with pytest.raises(KeyError):
        state["threshold"] = 4.0
