"""The views of a reading: four that move together, a mosaic through the brain, both in the scan's own planes."""

import numpy as np
import pytest
from heads import BRAIN_MM, CENTRE, STORED, head, turned
from offscreen import Desktop
from PerfuSynthLib import reading_layout as layout
from PerfuSynthLib.node_geometry import array_of
from PerfuSynthLib.reading_scene import Reading
from PerfuSynthLib.scan_planes import planes_of


class Shown:
    def __init__(self, shown):
        self.desktop = Desktop((240, 240))
        self.node = self.desktop.add_volume(shown.ncct)
        self.reading = Reading.show(
            self.desktop.scene, self.node, shown.result, shown.case.facts, self.desktop.renderer
        )

    def composite(self, view):
        return self.desktop.views()[view].logic.GetSliceCompositeNode()


@pytest.fixture(scope="module")
def shown():
    made = Shown(head(STORED["LPS"], (2.0, 2.0, 5.0)))
    yield made
    made.reading.let_go()
    made.desktop.close()


@pytest.fixture
def four(shown):
    shown.reading.present(layout.FOUR_VIEWS)
    return shown


@pytest.fixture
def mosaic(shown):
    shown.reading.present(layout.MOSAIC)
    return shown


def places(views):
    return [array_of(view.node.GetSliceToRAS())[:3, 3] for view in views.values()]


def test_ct_tmax_cbf_and_overlay_are_side_by_side(four):
    assert tuple(four.desktop.views()) == layout.READING_VIEWS
    state = four.reading.state
    ncct, tmax, cbf = (state.node_of(role).GetID() for role in ("ncct", "tmax", "cbf"))
    expected = {
        layout.NCCT_VIEW: (ncct, None),
        layout.TMAX_VIEW: (tmax, None),
        layout.CBF_VIEW: (cbf, None),
        layout.OVERLAY_VIEW: (ncct, tmax),
    }
    for view, volumes in expected.items():
        composite = four.composite(view)
        assert (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()) == volumes


def test_reading_begins_where_the_deficit_is_largest_on_a_slice(four):
    for place in places(four.desktop.views()):
        assert abs(place[2] - CENTRE[2]) <= 2.5
    slices = planes_of(four.reading.brain).slices
    assert np.abs(slices - places(four.desktop.views())[0][2]).min() < 1e-6


def test_the_four_views_scroll_and_zoom_together(four):
    first = four.desktop.views()[layout.CBF_VIEW]
    first.logic.StartSliceOffsetInteraction()
    first.logic.SetSliceOffset(first.logic.GetSliceOffset() + 10)
    first.logic.EndSliceOffsetInteraction()
    heights = {round(place[2], 3) for place in places(four.desktop.views())}
    assert len(heights) == 1
    assert heights != {round(CENTRE[2], 3)}
    before = first.node.GetFieldOfView()[0]
    first.logic.StartSliceNodeInteraction(first.node.FieldOfViewFlag)
    first.node.SetFieldOfView(before / 2, before / 2, first.node.GetFieldOfView()[2])
    first.logic.EndSliceNodeInteraction()
    assert {round(view.node.GetFieldOfView()[0], 3) for view in four.desktop.views().values()} == {round(before / 2, 3)}


def test_the_mosaic_goes_through_the_brain_from_the_top_on_slices(mosaic):
    views = mosaic.desktop.views()
    assert tuple(views) == layout.MOSAIC_VIEWS
    heights = np.array([place[2] for place in places(views)])
    assert (np.diff(heights) < 0).all()
    assert heights[0] < BRAIN_MM[2]
    assert heights[-1] > -BRAIN_MM[2]
    slices = planes_of(mosaic.reading.brain).slices
    assert np.abs(heights[:, None] - slices).min(axis=1).max() < 1e-6


def test_tiles_of_the_mosaic_stay_where_they_are(mosaic):
    views = mosaic.desktop.views()
    before = places(views)
    first = views[layout.MOSAIC_VIEWS[0]]
    first.logic.StartSliceOffsetInteraction()
    first.logic.SetSliceOffset(0.0)
    first.logic.EndSliceOffsetInteraction()
    assert np.allclose(before[1:], places(views)[1:])


def test_opacity_is_that_of_overlay_and_mosaic(four):
    four.reading.set_map_opacity(0.35)
    assert four.composite(layout.OVERLAY_VIEW).GetForegroundOpacity() == 0.35
    four.reading.present(layout.MOSAIC)
    assert {four.composite(view).GetForegroundOpacity() for view in layout.MOSAIC_VIEWS} == {0.35}


def test_a_view_stays_where_the_reader_left_it_when_the_layout_changes(four):
    view = four.desktop.views()[layout.NCCT_VIEW]
    view.logic.SetSliceOffset(-20.0)
    four.reading.present(layout.MOSAIC)
    four.reading.present(layout.FOUR_VIEWS)
    assert array_of(view.node.GetSliceToRAS())[2, 3] == pytest.approx(-20.0)


@pytest.mark.parametrize("size", [(240, 500), (500, 200)])
def test_the_brain_fits_a_view_of_any_shape(four, size):
    view = four.desktop.views()[layout.TMAX_VIEW]
    view.resize(size)
    width, height, _ = view.node.GetFieldOfView()
    view.resize((240, 240))
    assert width / size[0] == pytest.approx(height / size[1])
    assert width >= 2 * BRAIN_MM[0]
    assert height >= 2 * BRAIN_MM[1]
    assert min(width / (2 * BRAIN_MM[0]), height / (2 * BRAIN_MM[1])) < 1.5


@pytest.mark.parametrize("stored", [*STORED, "turned"])
def test_planes_are_the_scans_own_with_the_patients_left_on_the_right(stored):
    directions = STORED[stored] if stored in STORED else turned(30)
    brain = head(directions, (4.0, 4.0, 6.0)).result.brain
    planes = planes_of(brain)
    assert planes.axes[0, 0] < -0.8  # screen right: the patient's left
    assert planes.axes[1, 1] > 0.8  # screen up: anterior
    assert planes.axes[2, 2] > 0.8  # next slice: superior
    along = np.abs(planes.axes.T @ directions)
    assert np.allclose(along.max(axis=0), 1)  # no plane is cut at a slant
    assert len(planes.slices) == brain.array.shape[int(np.abs(directions[2]).argmax())]
    if stored in STORED:
        assert np.allclose(planes.box[1] - planes.box[0], 2 * BRAIN_MM, atol=12)
