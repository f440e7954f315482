"""A reading in the scene: what its nodes say, regions that follow the threshold, and edits that are never lost."""

import numpy as np
import pytest
import slicer
import vtk
from heads import BASE_S, CENTRE, RISE_S, head, radius_of
from offscreen import Desktop
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.map_volumes import SYNTHETIC_ATTRIBUTE
from PerfuSynthLib.measurer import Measurer
from PerfuSynthLib.node_geometry import array_of, image_of, matrix_of, volume_of
from PerfuSynthLib.reading_scene import Reading
from PerfuSynthLib.region_segments import CORE, HYPOPERFUSION, ORIGINAL

from perfusynth.perfusion.colour_tables import colour_table


@pytest.fixture(scope="module")
def desktop():
    made = Desktop((200, 200))
    yield made
    made.close()


@pytest.fixture(scope="module")
def shown():
    return head(spacing=(2.0, 2.0, 4.0))


@pytest.fixture
def reading(desktop, shown):
    """A reading without views."""
    desktop.scene.Clear(0)
    made = Reading.show(desktop.scene, desktop.add_volume(shown.ncct), shown.result, shown.case.facts)
    yield made
    made.let_go()


@pytest.fixture
def edits(reading):
    """How often an edit was told."""
    told = []
    reading.regions.on_edit = lambda: told.append(1)
    return told


def draw(reading, mask, segment=HYPOPERFUSION):
    """Change a segment as Segment Editor's effects do: a label map that covers what is drawn, no more."""
    node = reading.state.node_of("regions")
    filled = np.argwhere(mask)
    low, high = filled.min(axis=0), filled.max(axis=0) + 1
    part = mask[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    affine = reading.tmax.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    image = slicer.vtkOrientedImageData()
    image.ShallowCopy(image_of(part))
    image.SetGeometryFromImageToWorldMatrix(matrix_of(affine))
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.SetBinaryLabelmapToSegment(image, node, segment, logic.MODE_REPLACE)


def segments(reading):
    """Names of all segments by whether they are shown."""
    node = reading.state.node_of("regions")
    segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
    ids = [segmentation.GetNthSegmentID(i) for i in range(segmentation.GetNumberOfSegments())]
    return {segmentation.GetSegment(i).GetName(): bool(display.GetSegmentVisibility(i)) for i in ids}


def test_maps_are_volumes_with_name_unit_and_colours(reading, shown):
    for role, name, unit, window, level in (
        ("tmax", "Tmax (s) SYNTHETIC", "s", 12, 6),
        ("cbf", "CBF (mL/100 g/min) SYNTHETIC", "ml/(100.g.min)", 120, 60),
    ):
        node = reading.state.node_of(role)
        assert node.GetName() == name
        assert node.GetVoxelValueUnits().GetCodeValue() == unit
        assert node.GetVoxelValueUnits().GetCodingSchemeDesignator() == "UCUM"
        assert (node.GetDisplayNode().GetWindow(), node.GetDisplayNode().GetLevel()) == (window, level)
        assert np.array_equal(volume_of(node).array, shown.result.maps[role].array)
        table = node.GetDisplayNode().GetColorNode().GetLookupTable()
        colours = np.array([table.GetTableValue(i) for i in range(table.GetNumberOfTableValues())])
        assert np.array_equal(np.round(255 * colours[:, :3]), colour_table("asist"))
        assert colours[0, 3] == 0
        assert (colours[1:, 3] == 1).all()


def test_the_ncct_is_shown_as_strokes_are_read(reading):
    display = reading.ncct_node.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel(), display.GetAutoWindowLevel()) == (40, 40, 0)
    assert reading.ncct_node.GetAttribute(SYNTHETIC_ATTRIBUTE) is None


def test_the_resampled_ncct_is_read_where_the_server_had_to_resample(desktop, shown, reading):
    resampled = GridVolume(shown.ncct.array + 1, shown.ncct.affine)
    given = desktop.add_volume(shown.ncct, "as loaded")
    made = Reading.show(desktop.scene, given, shown.result._replace(ncct=resampled), shown.case.facts)
    assert made.ncct_node is not given
    assert made.ncct_node.GetName() == "NCCT (resampled)"
    assert np.array_equal(volume_of(made.ncct_node).array, resampled.array)
    made.let_go()


@pytest.mark.parametrize("threshold", [4.0, 6.0, 7.3, 8.0])
def test_a_threshold_gives_its_sphere_and_raw_volume_at_once(reading, threshold):
    ml = reading.set_threshold(threshold)
    mask = reading.regions.segments.mask(HYPOPERFUSION)
    assert ml == pytest.approx(4 / 3 * np.pi * radius_of(threshold) ** 3 / 1000, rel=0.06)
    assert ml == pytest.approx(np.count_nonzero(mask) * 0.016)
    assert np.array_equal(mask, reading.tmax.array > threshold)
    assert segments(reading)[f"Tmax > {threshold:g} s"]


def test_regions_lie_on_the_maps_grid(reading):
    node = reading.state.node_of("regions")
    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(HYPOPERFUSION, image)
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    assert np.allclose(array_of(matrix), reading.tmax.affine)
    geometry = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    assert node.GetSegmentation().GetConversionParameter(geometry)
    assert np.allclose(node.GetSegmentCenterRAS(HYPOPERFUSION), CENTRE, atol=2.5)  # the patient's left


def test_the_core_is_low_cbf_inside_the_hypoperfusion(reading):
    core = reading.regions.segments.mask(CORE)
    limit = 0.3 * reading.facts.normal_cbf
    assert np.array_equal(core, (reading.cbf.array < limit) & (reading.tmax.array > 6))
    assert core.any()
    assert segments(reading)["Core estimate (rCBF < 30 %)"]
    reading.set_core_visible(False)
    assert not segments(reading)["Core estimate (rCBF < 30 %)"]


def test_cleaned_regions_take_the_place_of_raw_ones(reading):
    measured = Measurer(
        reading.tmax,
        reading.cbf,
        reading.brain,
        reading.facts.midplane,
        reading.facts.normal_cbf,
        reading.facts.settings,
    ).cleaned(6.0)
    reading.put_cleaned(measured.region, measured.core)
    assert np.array_equal(reading.regions.segments.mask(HYPOPERFUSION), measured.region)
    assert np.array_equal(reading.regions.segments.mask(CORE), measured.core)


def test_what_the_program_does_itself_is_no_edit(reading, edits):
    reading.set_threshold(5.0)
    reading.put_cleaned(reading.tmax.array > 5.5)
    reading.set_fill(0.3)
    reading.set_core_visible(False)
    assert not edits
    assert reading.edited_segment() is None


def test_an_edit_is_told_and_both_regions_are_kept(reading, edits):
    computed = reading.regions.segments.mask(HYPOPERFUSION)
    drawn = computed.copy()
    drawn[:, :, : drawn.shape[2] // 2] = False
    draw(reading, drawn)
    assert edits
    assert np.array_equal(reading.edited_segment(), drawn)
    assert np.array_equal(reading.regions.segments.mask(ORIGINAL), computed)
    names = segments(reading)
    assert names["Tmax > 6 s, edited"]
    assert not names["Tmax > 6 s, as computed"]


def test_a_cleaned_region_that_comes_late_does_not_undo_an_edit(reading):
    drawn = reading.tmax.array > 7
    draw(reading, drawn)
    reading.put_cleaned(reading.tmax.array > 6.2)
    assert np.array_equal(reading.edited_segment(), drawn)


def test_moving_the_threshold_keeps_every_edit_beside_the_new_region(reading):
    first, second = reading.tmax.array > 7, reading.tmax.array > 9
    draw(reading, first)
    reading.set_threshold(5.0)
    assert reading.edited_segment() is None
    assert np.array_equal(reading.regions.segments.mask(HYPOPERFUSION), reading.tmax.array > 5)
    draw(reading, second)
    reading.set_threshold(4.0)
    assert np.array_equal(reading.regions.segments.mask("edited-1"), first)
    assert np.array_equal(reading.regions.segments.mask("edited-2"), second)
    names = segments(reading)
    assert {"Tmax > 4 s", "Tmax > 6 s, edited (1)", "Tmax > 5 s, edited (2)"} <= set(names)
    assert not any("as computed" in name for name in names)


def test_an_edit_that_is_undone_is_no_edit(reading):
    computed = reading.regions.segments.mask(HYPOPERFUSION)
    draw(reading, reading.tmax.array > 9)
    assert reading.edited_segment() is not None
    draw(reading, computed)
    assert reading.edited_segment() is None
    assert "Tmax > 6 s" in segments(reading)


def test_values_at_a_point_and_its_mirror_image(reading):
    found = reading.probe(CENTRE)
    assert found.here.tmax_s == pytest.approx(BASE_S + RISE_S, abs=0.1)
    assert found.mirrored.ras == pytest.approx(CENTRE * [-1, 1, 1])
    assert found.mirrored.tmax_s == pytest.approx(BASE_S, abs=0.1)
    assert found.here.hu == 32


def test_only_the_reading_that_is_looked_at_shows_its_regions(desktop, shown, reading):
    other = Reading.show(desktop.scene, desktop.add_volume(shown.ncct), shown.result, shown.case.facts)
    visible = [bool(r.state.node_of("regions").GetDisplayNode().GetVisibility()) for r in (reading, other)]
    assert visible == [False, True]
    reading.present()
    visible = [bool(r.state.node_of("regions").GetDisplayNode().GetVisibility()) for r in (reading, other)]
    assert visible == [True, False]
    other.let_go()
