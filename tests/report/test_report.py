"""The report: left is left by its pixels, the banners are on it, and the page needs nothing from outside."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from perfusynth.perfusion.colour_tables import MAP_DISPLAYS
from perfusynth.perfusion.measurements import Measurements
from perfusynth.perfusion.notices import NOT_VALID_FOR_PATIENTS, SYNTHETIC
from perfusynth.perfusion.region_blocks import region_blocks
from perfusynth.perfusion.regions import Regions, measure_regions
from perfusynth.report import canvas as ink
from perfusynth.report import render_mosaic, write_report
from perfusynth.report.mosaic import draw_mosaic
from perfusynth.report.slices import choose_slabs, choose_view
from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.volume import Volume

MIDPLANE = Midplane(np.zeros(3), np.array([1.0, 0, 0]))


class Head:
    """An ellipsoid head with a deficit in front on one side of the patient."""

    def __init__(self, side: int = -1, spacing=(2.5, 2.5, 6.0), size=(90, 90, 26), deficit: bool = True):
        affine = np.diag([*spacing, 1.0])
        affine[:3, 3] = -(np.array(size) - 1) * np.array(spacing) / 2
        x, y, z = np.meshgrid(
            *(np.arange(n) * s + o for n, s, o in zip(size, spacing, affine[:3, 3], strict=True)), indexing="ij"
        )
        self.brain = (x / 65) ** 2 + (y / 82) ** 2 + (z / 60) ** 2 < 1
        head = (x / 73) ** 2 + (y / 90) ** 2 + (z / 68) ** 2 < 1
        sick = ((x - side * 40) / 20) ** 2 + ((y - 25) / 25) ** 2 + ((z - 10) / 25) ** 2 < 1 if deficit else x > 999
        core = ((x - side * 40) / 10) ** 2 + ((y - 25) / 12) ** 2 + ((z - 10) / 15) ** 2 < 1 if deficit else x > 999
        self.ncct = Volume(np.where(self.brain, 32.0, np.where(head, 900.0, -1000.0)), affine)
        self.maps = {
            "tmax": Volume(np.where(sick, 11.0, 2.0) * self.brain, affine),
            "cbf": Volume(np.where(core, 5.0, np.where(sick, 20.0, 45.0)) * self.brain, affine),
        }

    def regions(self) -> Regions:
        return measure_regions(self.maps["tmax"], self.maps["cbf"], self.brain, MIDPLANE)

    def stored(self, order: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> "Head":
        """The same head, stored with permuted and flipped axes."""
        other = Head.__new__(Head)
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for new, old in enumerate(order):
            matrix[old, new] = -1 if flips[new] else 1
            matrix[old, 3] = self.ncct.shape[old] - 1 if flips[new] else 0
        affine = self.ncct.affine @ matrix

        def move(array):
            return np.transpose(array, order)[tuple(slice(None, None, -1 if f else 1) for f in flips)]

        other.ncct = Volume(move(self.ncct.array), affine)
        other.maps = {name: Volume(move(v.array), affine) for name, v in self.maps.items()}
        other.brain = move(self.brain)
        return other


def document(regions: Regions | None, **changes) -> Measurements:
    fields = {
        "origin": "synthetic",
        "notices": [SYNTHETIC, NOT_VALID_FOR_PATIENTS],
        "validated_on": "digital phantoms",
        "intervals": {"withheld": "this case is no phantom"},
        "overrides": ["contrast_in_vessels"],
        "checks": [{"code": "c", "severity": "warn", "message": "Thick slices.", "expected": "5 mm", "got": "6 mm"}],
        "model": {
            "task": "ncct_perfusion",
            "name": "compact",
            "version": "1",
            "weights_sha256": "ab12" * 16,
            "family": "turbo",
        },
        "software": {"version": "0.1.0"},
        "input": {
            "sha256": "0f" * 32,
            "kind": "NIfTI",
            "shape": (90, 90, 26),
            "spacing_mm": (2.5, 2.5, 6.0),
            "resampled": False,
            "is_phantom": False,
        },
    }
    return Measurements(**((region_blocks(regions, MIDPLANE) if regions else {}) | fields | changes))


def panels(head: Head, row: str) -> list[np.ndarray]:
    """The pictures of one row of the mosaic, float RGB."""
    image, layout = draw_mosaic(head.ncct, head.maps, head.brain, head.regions())
    pixels, (width, height) = np.asarray(image).astype(float), layout.panel
    y = layout.rows[layout.row_names.index(row)]
    return [pixels[y : y + height, x : x + width] for x in layout.columns]


def place_of(colour: np.ndarray, wanted: tuple[int, int, int], tolerance: float = 120) -> tuple[float, float]:
    """Mean (x, y) of the pixels near a colour, as fractions of the panel."""
    near = np.abs(colour - np.array(wanted)).sum(axis=2) < tolerance
    y, x = np.nonzero(near)
    assert x.size > 20, "colour not in the picture"
    return float(x.mean() / colour.shape[1]), float(y.mean() / colour.shape[0])


@pytest.mark.parametrize(("row", "wanted"), [("ncct", ink.HYPOPERFUSION), ("tmax", (255, 60, 0)), ("cbf", (0, 0, 255))])
@pytest.mark.parametrize(("side", "on_screen_right"), [(-1, True), (1, False)])
def test_the_patients_left_is_on_screen_right_and_the_front_on_top(row, wanted, side, on_screen_right):
    x, y = place_of(panels(Head(side), row)[3], wanted)
    assert (x > 0.6) if on_screen_right else (x < 0.4)
    assert y < 0.45


def test_the_core_is_outlined_inside_the_hypoperfusion():
    panel = panels(Head(), "ncct")[3]
    assert place_of(panel, ink.CORE) == pytest.approx(place_of(panel, ink.HYPOPERFUSION), abs=0.06)


@pytest.mark.parametrize(
    ("order", "flips"),
    [
        ((0, 1, 2), (True, False, False)),
        ((0, 1, 2), (True, True, False)),
        ((0, 1, 2), (False, False, True)),
        ((2, 0, 1), (False, True, False)),
        ((1, 2, 0), (True, True, True)),
    ],
)
def test_the_same_head_stored_otherwise_gives_the_same_picture(order, flips):
    head = Head()
    expected = render_mosaic(head.ncct, head.maps, head.brain, head.regions(), [SYNTHETIC])
    other = head.stored(order, flips)
    got = render_mosaic(other.ncct, other.maps, other.brain, other.regions(), [SYNTHETIC])
    assert np.abs(np.asarray(got).astype(int) - np.asarray(expected)).max() <= 2


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_oblique_head_keeps_its_side(axis):
    head = Head()
    cosine, sine = np.cos(np.deg2rad(25)), np.sin(np.deg2rad(25))
    a, b = (i for i in range(3) if i != axis)
    turn = np.eye(4)
    turn[a, a], turn[a, b], turn[b, a], turn[b, b] = cosine, -sine, sine, cosine
    affine = turn @ head.ncct.affine
    maps = {name: Volume(volume.array, affine) for name, volume in head.maps.items()}
    midplane = Midplane(np.zeros(3), turn[:3, 0])
    regions = measure_regions(maps["tmax"], maps["cbf"], head.brain, midplane)
    image, layout = draw_mosaic(Volume(head.ncct.array, affine), maps, head.brain, regions)
    x, y, (width, height) = layout.columns[3], layout.rows[0], layout.panel
    assert regions.laterality.side == "left"
    assert place_of(np.asarray(image).astype(float)[y : y + height, x : x + width], ink.HYPOPERFUSION)[0] > 0.6


def test_every_panel_bears_r_on_the_left_and_l_on_the_right_and_its_height(written):
    head = Head()
    _, layout = draw_mosaic(head.ncct, head.maps, head.brain, head.regions())
    for x in layout.columns:
        for y in layout.rows:
            here = {
                text: place[0] - x
                for text, place in written
                if x <= place[0] < x + layout.panel[0] and y <= place[1] < y + layout.panel[1]
            }
            assert here["R"] < layout.panel[0] * 0.1
            assert here["L"] > layout.panel[0] * 0.9
            assert any(re.fullmatch(r"z [+-]\d+\.\d mm", text) for text in here)


def test_the_picture_says_everything_in_its_own_pixels(tmp_path, written):
    head, regions = Head(), Head().regions()
    measurements = document(regions)
    write_report(tmp_path, head.ncct, head.maps, head.brain, regions, measurements)
    text = "\n".join(t for t, _ in written)
    for wanted in (
        SYNTHETIC,
        NOT_VALID_FOR_PATIENTS,
        "left hemisphere",
        "weights ab12ab12ab12;",
        "input 0f0f0f0f0f0f;",
        "contrast_in_vessels",
        "Thick slices. (found 6 mm; expected 5 mm)",
        "Intervals withheld: this case is no phantom",
        f"{regions.hypoperfusion_ml:.1f} mL",
        f"{regions.core_ml:.1f} mL",
        "Tmax > 4 s: ",
        "Tmax > 10 s: ",
        "6 s",
        "mL/100 g/min",
    ):
        assert wanted in text, wanted


def test_intervals_stand_beside_their_volumes_and_an_unusual_input_is_warned_of(tmp_path, written):
    head, regions = Head(), Head().regions()
    unusual = {
        "verdict": "unusual",
        "text": "Unlike the patients.",
        "score": 3.2,
        "limit": 1.4,
        "percentile": 100,
        "unusual": ["noise, HU: 9, above the usual 2 (SD 0.5)"],
    }
    intervals = {"level": 0.9, "volumes_ml": {"6": (40.0, 130.26)}, "core_ml": (0.0, 12.0)}
    measurements = document(regions, intervals=intervals, domain=unusual)
    write_report(tmp_path, head.ncct, head.maps, head.brain, regions, measurements)
    drawn = " ".join(text for text, _ in written)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    for text in (drawn, page):
        assert "90% interval 40.0 to 130.3 mL" in text
        assert "90% interval 0.0 to 12.0 mL" in text
        assert "UNUSUAL INPUT: Unlike the patients. The maps may mean nothing." in text
        assert "noise, HU: 9" in text
        assert "withheld" not in text


def test_the_banner_is_amber_across_the_whole_picture(tmp_path):
    head, regions = Head(), Head().regions()
    write_report(tmp_path, head.ncct, head.maps, head.brain, regions, document(regions))
    pixels = np.asarray(Image.open(tmp_path / "report.png"))
    assert (pixels[2] == ink.BANNER).all()
    mosaic = np.asarray(render_mosaic(head.ncct, head.maps, head.brain, regions, [SYNTHETIC]))
    assert (mosaic[2] == ink.BANNER).all()


class Page(HTMLParser):
    """Collects tags, attributes and text of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_the_page_needs_nothing_from_outside_and_says_the_same(tmp_path):
    head, regions = Head(), Head().regions()
    write_report(tmp_path, head.ncct, head.maps, head.brain, regions, document(regions))
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    names = [tag for tag, _ in page.tags]
    assert not {"script", "link", "iframe", "object", "form", "a"} & set(names)
    without_picture = re.sub(r"base64,[A-Za-z0-9+/=]+", "", html)
    assert not re.search(r"https?:|//|@import|url\(", without_picture)
    assert all(
        value.startswith("data:image/png;base64,") for _, a in page.tags for key, value in a.items() if key == "src"
    )
    assert dict(page.tags[0:1])["html"] == {"lang": "en"}
    assert all(a.get("alt") for tag, a in page.tags if tag == "img")
    assert names.count("h1") == 1
    for wanted in (
        SYNTHETIC,
        NOT_VALID_FOR_PATIENTS,
        "left hemisphere",
        "ab12" * 16,
        "Intervals withheld",
        "What this is not",
    ):
        assert wanted in page.text, wanted


def test_what_users_wrote_is_escaped(tmp_path):
    head, regions = Head(), Head().regions()
    evil = "</style><script>alert(1)</script>\"'&"
    measurements = document(
        regions,
        overrides=[evil],
        notices=[SYNTHETIC, NOT_VALID_FOR_PATIENTS, evil],
        input=document(regions).input.model_copy(update={"notes": [evil], "kind": evil}),
        model=document(regions).model.model_copy(update={"name": evil, "licence": evil}),
        validated_on="digital phantoms",
        maps=[{"name": evil, "file": evil, "unit": evil, "range": (0, 1)}],
    )
    write_report(tmp_path, head.ncct, head.maps, head.brain, regions, measurements)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert html.count("</style>") == 1
    assert evil in Page(html).text


def test_a_head_without_deficit_gets_a_report(tmp_path):
    head = Head(deficit=False)
    regions = head.regions()
    write_report(tmp_path, head.ncct, head.maps, head.brain, regions, document(regions))
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "no region" in text
    assert "n/a" in text


def test_an_infinite_ratio_is_written_in_words(tmp_path):
    head = Head()
    head.maps["cbf"] = head.maps["cbf"].with_array(np.where(head.brain, 45.0, 0.0))
    regions = head.regions()
    write_report(tmp_path, head.ncct, head.maps, head.brain, regions, document(regions))
    assert "infinite" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_family_without_regions_gets_a_report(tmp_path):
    head = Head()
    write_report(tmp_path, head.ncct, {"cbf": head.maps["cbf"]}, head.brain, None, document(None))
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "Mismatch" not in text
    assert (tmp_path / "report.png").is_file()


@pytest.mark.parametrize(
    ("spacing", "size"),
    [((0.6, 0.6, 0.6), (270, 320, 220)), ((1.0, 1.0, 7.0), (180, 210, 20)), ((1.0, 3.0, 1.0), (160, 65, 150))],
)
def test_panels_keep_the_heads_proportions_and_thin_slices_are_averaged(spacing, size):
    head = Head(spacing=spacing, size=size)
    _, layout = draw_mosaic(head.ncct, head.maps, head.brain, head.regions())
    view = choose_view(head.ncct, head.brain, head.regions().hypoperfusion, 7)
    width_mm, height_mm = view.size_mm
    assert layout.panel[1] / layout.panel[0] == pytest.approx(height_mm / width_mm, rel=0.01)
    assert width_mm == pytest.approx(130 + 28, abs=2 * max(spacing) + 2)
    assert view.slab * spacing[2] == pytest.approx(max(5, spacing[2]), rel=0.1)


def test_slices_follow_the_deficit_and_still_cover_the_brain():
    head = Head(spacing=(2.5, 2.5, 2.0), size=(90, 90, 75))
    sick = choose_view(head.ncct, head.brain, head.regions().hypoperfusion, 7)
    even = choose_view(head.ncct, head.brain, None, 7)
    inside = [p for p in sick.position_mm if -15 <= p <= 35]
    assert len(inside) >= 4
    assert min(sick.position_mm) < -15
    assert max(sick.position_mm) > 35
    assert np.ptp(np.diff(even.position_mm)) <= 5
    assert list(sick.position_mm) == sorted(set(sick.position_mm))


def test_the_worst_slab_is_always_shown_and_none_twice():
    area = np.ones(26)
    for worst in range(26):
        sick = np.where(np.arange(26) == worst, 5.0, 0.0)
        chosen = choose_slabs(area, sick, 7)
        assert worst in chosen
        assert len(set(chosen)) == 7
    assert choose_slabs(np.ones(3), np.zeros(3), 7) == [0, 1, 2]


def test_a_thin_stack_has_fewer_panels():
    head = Head(spacing=(2.5, 2.5, 6.0), size=(90, 90, 2))
    image, layout = draw_mosaic(head.ncct, head.maps, head.brain, head.regions())
    assert len(layout.columns) == 2
    assert image.width > 0


def test_the_display_range_is_a_setting():
    head = Head()
    wide = MAP_DISPLAYS | {"tmax": replace(MAP_DISPLAYS["tmax"], high=16.0, table="viridis")}
    narrow = np.asarray(render_mosaic(head.ncct, head.maps, head.brain, head.regions(), []))
    assert (
        np.asarray(render_mosaic(head.ncct, head.maps, head.brain, head.regions(), [], displays=wide)) != narrow
    ).any()


def test_maps_on_another_grid_are_refused(tmp_path):
    head, regions = Head(), Head().regions()
    maps = head.maps | {"cbf": Volume(np.zeros((4, 4, 4)), np.eye(4))}
    with pytest.raises(ValueError, match="cbf on the NCCT's grid"):
        write_report(tmp_path, head.ncct, maps, head.brain, regions, document(regions))
    assert not list(tmp_path.iterdir())


def contrast(a: ink.Colour, b: ink.Colour) -> float:
    """WCAG 2.2 contrast ratio of two sRGB colours."""

    def luminance(colour: ink.Colour) -> float:
        c = np.array(colour) / 255
        return float(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", [ink.TEXT, ink.DIM, ink.WARNING, ink.HYPOPERFUSION, ink.CORE])
@pytest.mark.parametrize("ground", [ink.BACKGROUND, ink.PANEL])
def test_text_and_outlines_have_enough_contrast(colour, ground):
    assert contrast(colour, ground) >= 7


def test_the_banner_has_enough_contrast():
    assert contrast(ink.BANNER_INK, ink.BANNER) >= 10


def test_a_word_longer_than_the_line_is_broken():
    lines = ink.wrap("a " + "x" * 300, 16, 200)
    assert "".join(lines).replace(" ", "") == "a" + "x" * 300
    assert all(ink.font(16).getlength(line) <= 200 for line in lines)
