"""The report page and its mosaic: honest, closed in itself, the right way round."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from measured_cases import INPUT, WEIGHTS, Maps, measurer_of, server_case
from PerfuSynthLib.axial_slices import AxialView, nearest_ras
from PerfuSynthLib.canvas import BANNER, HYPOPERFUSION, blank, draw_text, outline_of, png_bytes
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.measurements import Laterality
from PerfuSynthLib.mosaic import PANEL, draw_mosaic
from PerfuSynthLib.report_page import ReportPicture, report_page
from PIL import Image

from perfusynth.perfusion.notices import NOT_VALID_FOR_PATIENTS, SYNTHETIC
from perfusynth.report import slices as servers
from perfusynth.volumes.volume import Volume

SHAPE, SPACING = (80, 96, 20), (2.0, 2.0, 6.0)
CHECK = {"code": "c", "severity": "warn", "message": "Slices <7 mm> & more.", "expected": "5", "got": "7"}

#: Ways to store one and the same head: order of the array's axes, and which of them run backwards.
STORED = {
    "RAS": ((0, 1, 2), ()),
    "LPS": ((0, 1, 2), (0, 1)),
    "feet first": ((0, 1, 2), (0, 2)),
    "PSR": ((1, 2, 0), (0,)),
}


def stored(volume: GridVolume, order, backwards) -> GridVolume:
    """The same voxels at the same places of the patient, in another order."""
    affine = volume.affine[:, [*order, 3]].copy()
    array = np.transpose(volume.array, order)
    for axis in backwards:
        affine[:, 3] += affine[:, axis] * (array.shape[axis] - 1)
        affine[:, axis] *= -1
    return GridVolume(np.flip(array, backwards), affine)


def head(way: str = "RAS") -> tuple[GridVolume, Maps]:
    """An ellipsoid of a head, turned by 8 degrees, with a deficit in the patient's LEFT half."""
    turn = np.deg2rad(8)
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = rotation * SPACING
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2)
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    ras = index @ affine[:3, :3].T + affine[:3, 3]
    brain = ((ras / (65, 80, 52)) ** 2).sum(axis=-1) < 1
    sick = brain & (((ras - (-38, 5, 0)) / (18, 25, 25)) ** 2).sum(axis=-1).__lt__(1)
    dense = brain & (((ras - (38, 5, 0)) / (10, 10, 20)) ** 2).sum(axis=-1).__lt__(1)
    arrays = (
        np.where(brain, np.where(dense, 70.0, 32.0), -1000.0),
        np.where(brain, np.where(sick, 9.0, 2.0), 0.0),
        np.where(brain, np.where(sick, 8.0, 45.0), 0.0),
        brain.astype(np.uint8),
    )
    ncct, *maps = (stored(GridVolume(a.astype(np.float32), affine), *STORED[way]) for a in arrays)
    return ncct, Maps(*maps)


@pytest.fixture(scope="module")
def drawn():
    ncct, maps = head()
    case = server_case(maps, checks=[CHECK])
    measured = measurer_of(case).cleaned(6.0)
    return case, measured, draw_mosaic(ncct, *maps, measured, case.facts)


class Page(HTMLParser):
    """Elements, attributes and visible text of a page."""

    def __init__(self, html: str):
        super().__init__()
        self.tags, self.links, self.text, self._style = [], [], [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._style = tag == "style"
        self.links += [value for name, value in attrs if name in ("src", "href", "action", "srcset")]

    def handle_data(self, data):
        if not self._style and data.strip():
            self.text.append(data.strip())

    def handle_endtag(self, tag):
        self._style = False


@pytest.fixture(scope="module")
def page(drawn):
    case, measured, mosaic = drawn
    picture = ReportPicture(png_bytes(mosaic), "Axial slices", "Mosaic")
    return report_page(case.facts, measured, [picture])


def test_the_banner_is_the_first_thing_in_the_body(page):
    body = page[page.index("<body>") :]
    assert Page(body).text[:2] == [SYNTHETIC, NOT_VALID_FOR_PATIENTS]
    assert SYNTHETIC in page[: page.index("</title>")]
    assert "No basis for a treatment decision" in Page(body).text[-1]


def test_the_page_holds_what_a_result_must_say(page, drawn):
    case, measured, _ = drawn
    text = " ".join(Page(page).text)
    for said in (
        "left hemisphere",
        f"{case.regions.hypoperfusion_ml:.1f} mL",
        f"{measured.core_ml:.1f} mL",
        "ncct_perfusion_compact 0.1.0",
        WEIGHTS,
        INPUT,
        "Slices <7 mm> & more. (found 7; expected 5)",
        "Validated on",
        "digital phantoms",
        "left is on the right",
        case.document["core"]["method"],
    ):
        assert said in text, said


def test_the_page_loads_nothing_and_runs_nothing(page):
    parsed = Page(page)
    assert not {"script", "iframe", "form", "link", "object"} & set(parsed.tags)
    assert parsed.links
    assert all(link.startswith("data:image/png;base64,") for link in parsed.links)
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in page


def test_given_text_is_escaped_everywhere():
    evil = "<script>alert(1)</script>"
    _, maps = head()
    check = {**CHECK, "message": evil, "got": '"><img src=x>'}
    case = server_case(maps, checks=[check])
    model = case.facts.model._replace(name=evil, version="</style>")
    facts = case.facts._replace(model=model, notices=(SYNTHETIC, evil))
    html = report_page(facts, case.facts.measured, [ReportPicture(b"", f'"{evil}', evil)])
    assert "<script" not in html
    assert "</style>" not in html[html.index("<body>") :]
    assert Page(html).tags.count("img") == 1


def test_intervals_or_the_reason_why_there_are_none_stand_on_the_page(drawn):
    _, measured, _ = drawn
    _, maps = head()
    volumes = dict.fromkeys(("4", "6", "8", "10"), (0.0, 400.0))
    case = server_case(maps, intervals={"level": 0.9, "volumes_ml": volumes, "core_ml": (1.0, 200.0)})
    text = " ".join(Page(report_page(case.facts, measured, [])).text)
    assert "90% interval" in text
    assert "0.0 to 400.0 mL" in text
    withheld = server_case(maps, intervals={"withheld": "Not for this patient."})
    text = " ".join(Page(report_page(withheld.facts, measured, [])).text)
    assert "Not for this patient." in text
    assert "interval 0" not in text
    provisional = measurer_of(case).provisional(6.0)
    text = " ".join(Page(report_page(case.facts, provisional, [])).text)
    assert "(provisional)" in text
    assert "Provisional volumes have no interval." in text


def test_an_edited_region_is_told_and_the_models_numbers_stand_beside_it(drawn):
    case, measured, _ = drawn
    drawn_by_hand = measured.region.copy()
    drawn_by_hand[:, :, ::2] = False
    edited = measurer_of(case).edited(drawn_by_hand, 6.0)
    text = " ".join(Page(report_page(case.facts, edited, [], as_made=measured)).text)
    assert "A reader changed the region" in text
    assert "Edited region (from Tmax > 6 s)" in text
    assert f"{edited.region_ml:.1f} mL" in text
    assert f"{measured.region_ml:.1f} mL" in text


def test_the_side_is_told_in_words_also_where_there_is_none():
    _, maps = head()
    case = server_case(maps)
    measured = case.facts.measured

    def said(**changes) -> str:
        return " ".join(Page(report_page(case.facts, replace(measured, **changes), [])).text)

    assert "Tmax > 6 s: left hemisphere of the patient" in said()
    both = Laterality("bilateral", 30.0, 40.0, 0.43)
    assert "Tmax > 6 s: both hemispheres of the patient" in said(laterality=both)
    assert "Tmax > 6 s: nowhere in the brain" in said(laterality=Laterality("none", 0.0, 0.0, None))
    assert "side not measured" in said(laterality=None)


def close_to(picture: np.ndarray, colour, within: int = 40) -> np.ndarray:
    return (np.abs(picture.astype(int) - colour) <= within).all(axis=-1)


@pytest.mark.parametrize("way", STORED)
def test_a_deficit_on_the_patients_left_is_on_the_right_of_every_panel(way):
    ncct, maps = head(way)
    case = server_case(maps)
    assert case.regions.laterality.side == "left"
    mosaic = draw_mosaic(ncct, *maps, measurer_of(case).cleaned(6.0), case.facts)
    view = AxialView(maps.tmax.affine, maps.brain.array > 0, case.regions.hypoperfusion, 7)
    size = view.pixels(PANEL)
    grey = view.picture(ncct.array, view.index[3], size)
    sick = view.picture(case.regions.hypoperfusion, view.index[3], size, average=False)
    across = np.arange(size[0])
    assert (sick.sum(axis=0) @ across) / sick.sum() > 0.6 * size[0]
    dense = (grey > 55).sum(axis=0)
    assert (dense @ across) / dense.sum() < 0.4 * size[0]
    green = close_to(mosaic[:, 92:-120], HYPOPERFUSION)
    column = np.flatnonzero(green.any(axis=0)) % (PANEL + 6)
    assert green.any()
    assert column.min() > PANEL / 2


@pytest.mark.parametrize("way", STORED)
def test_slices_run_from_the_feet_to_the_head_and_are_the_servers(way):
    ncct, maps = head(way)
    deficit = server_case(maps).regions.hypoperfusion
    view = AxialView(maps.tmax.affine, maps.brain.array > 0, deficit, 7)
    theirs = servers.choose_view(Volume(ncct.array, ncct.affine), maps.brain.array > 0, deficit, 7)
    assert view.index == theirs.index
    assert view.position_mm == pytest.approx(theirs.position_mm)
    assert list(view.position_mm) == sorted(view.position_mm)
    size = view.pixels(200)
    assert np.array(size) == pytest.approx(theirs.pixels(200 / theirs.size_mm[0]), abs=1)
    ours = view.picture(maps.tmax.array, view.index[3], size)
    expected = theirs.picture(maps.tmax.array, view.index[3], size, average=True)
    assert ours == pytest.approx(expected, abs=0.02)


def test_the_nearest_order_brings_every_storage_to_one_array():
    reference, _ = head()
    for way in STORED:
        volume, _ = head(way)
        ras = nearest_ras(volume.affine, volume.array.shape)
        assert (ras.turn(volume.array) == reference.array).all(), way
        assert ras.affine == pytest.approx(reference.affine), way


def test_the_banner_is_in_the_mosaics_pixels(drawn):
    *_, mosaic = drawn
    amber = close_to(mosaic, BANNER, 3)
    assert amber[0].all()
    height = int(np.flatnonzero(~amber[:, 0])[0])
    assert height >= 55
    ink = (mosaic[:height].max(axis=-1) < 90).sum()
    assert ink > 2000  # two lines of letters
    expected = blank(mosaic.shape[1], height, BANNER)
    draw_text(expected, (mosaic.shape[1] / 2, 24), SYNTHETIC, 24, (26, 18, 0), bold=True, anchor=(0.5, 0.5))
    first = slice(8, 40)
    assert np.abs(expected[first].astype(int) - mosaic[first]).mean() < 1


def test_a_known_value_has_its_colour_and_outside_the_brain_is_black(drawn):
    case, _, mosaic = drawn
    view = AxialView(case.maps.tmax.affine, case.maps.brain.array > 0, case.regions.hypoperfusion, 7)
    width, height = view.pixels(PANEL)
    top = mosaic.shape[0] - 6 - 2 * height - 6
    panel = mosaic[top : top + height, 92 + 3 * (PANEL + 6) :][:, :width]
    healthy = panel[height // 2, width // 4]
    assert healthy == pytest.approx(case_colour(2.0), abs=2)
    sick = panel[int(height * 0.47), int(width * 0.74)]
    assert sick == pytest.approx(case_colour(9.0), abs=2)
    assert panel[height // 2, 3].max() == 0


def case_colour(tmax_s: float):
    from perfusynth.perfusion.colour_tables import colour_table, colourise

    return colourise(np.array(tmax_s), 0.0, 12.0, colour_table("asist"))


def test_an_outline_lies_on_the_edge_and_is_as_wide_as_asked():
    mask = np.zeros((60, 60), np.float32)
    mask[20:40, 15:45] = 1
    line = outline_of(mask, 2.0)
    assert line[30, 13:17] == pytest.approx([0, 1, 1, 0], abs=0.2)
    assert line[30, 25] == 0
    assert line[:, 30].sum() == pytest.approx(4, abs=0.5)


def test_png_survives_another_programs_reading():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (37, 53, 3), dtype=np.uint8)
    assert (np.asarray(Image.open(BytesIO(png_bytes(picture))).convert("RGB")) == picture).all()


def test_text_is_upright_and_stays_on_the_picture():
    picture = blank(60, 40, (0, 0, 0))
    draw_text(picture, (30, 20), "L", 24, (255, 255, 255), bold=True, anchor=(0.5, 0.5))
    rows = (picture[..., 0] > 128).sum(axis=1)
    inked = np.flatnonzero(rows)
    assert rows[inked[-2]] > rows[inked[1]]  # the foot of an L is wide
    columns = (picture[..., 0] > 128).sum(axis=0)
    inked = np.flatnonzero(columns)
    assert columns[inked[1]] > columns[inked[-2]]  # and its stem stands on the left
    draw_text(picture, (58, 38), "much too long", 24)
    draw_text(picture, (-500, 0), "gone", 24)
    assert picture.shape == (40, 60, 3)


def test_volumes_of_different_grids_are_refused(drawn):
    case, measured, _ = drawn
    small = GridVolume(np.zeros((3, 3, 3)), np.eye(4))
    with pytest.raises(ValueError, match="one grid"):
        draw_mosaic(small, *case.maps, measured, case.facts)
    with pytest.raises(ValueError, match="region"):
        draw_mosaic(case.maps.tmax, *case.maps, case.facts.measured, case.facts)


def test_the_page_names_no_file_and_no_node(page):
    assert not re.search(r"[/\\](home|tmp|work|Users)[/\\]", page)
