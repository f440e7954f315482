"""`perfusynth colours` as a user runs it: pictures, folders, DICOM, options, what is written and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from perfusynth.cli.main import app
from perfusynth.errors import InputError
from perfusynth.perfusion.colour_tables import colour_table, colourise
from perfusynth.perfusion.notices import notices_for

ROWS, COLUMNS = 120, 160
BAR = (140, 10, 150, 110)


def tmax(slice_number: int = 0) -> np.ndarray:
    """Values of 1 to 11 s, larger on the screen's right; another plane each slice."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return 1.0 + 9.0 * x / 130 + y / 120 - 0.3 * slice_number


def brain() -> np.ndarray:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return ((x - 65) / 55) ** 2 + ((y - 60) / 50) ** 2 < 1


def picture(slice_number: int = 0, *, table: str = "viridis", bar: bool = True) -> np.ndarray:
    colours = colour_table(table)
    rgb = np.where(brain()[..., None], colourise(tmax(slice_number), 0, 12, colours), np.uint8(0))
    if bar:
        rgb[BAR[1] : BAR[3], BAR[0] : BAR[2]] = colours[np.linspace(255, 0, BAR[3] - BAR[1]).round().astype(int)][
            :, None
        ]
    return rgb


def run(*arguments: object) -> dict:
    """Run the command; returns ``colours.json``; raises what it raises."""
    done = CliRunner().invoke(app, ["colours", *map(str, arguments)])
    if done.exception is not None:
        raise done.exception
    out = Path(arguments[arguments.index("-o") + 1])
    return json.loads((out / "colours.json").read_text())


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "DOE^JANE.png"
    Image.fromarray(picture()).save(path)
    return path


def test_a_picture_with_a_bar_becomes_a_folder_of_numbers(png: Path, tmp_path: Path):
    out = tmp_path / "out"
    document = run(png, "-o", out, "--range", "0,12", "--spacing", "0.9", "--radiological")
    assert {path.name for path in out.iterdir()} == {"tmax.nii.gz", "valid.nii.gz", "colours.json", "check.png"}
    tmax_image, valid_image = nib.load(out / "tmax.nii.gz"), nib.load(out / "valid.nii.gz")
    values, valid = tmax_image.get_fdata(), valid_image.get_fdata() > 0
    assert values.shape == (COLUMNS, ROWS, 1)
    assert tmax_image.get_data_dtype() == np.float32
    assert valid_image.get_data_dtype() == np.uint8
    assert np.array_equal(valid[..., 0], brain().T)
    # The bar has 100 rows: a step of 0.12 s.
    assert np.abs(values[..., 0] - tmax().T)[valid[..., 0]].max() < 0.12
    assert (values[~valid] == 0).all()
    # The screen's right is the patient's left, its top the front.
    assert np.allclose(tmax_image.affine, np.diag([-0.9, -0.9, 1, 1]))
    assert nib.aff2axcodes(tmax_image.affine) == ("L", "P", "S")
    assert tmax_image.header["descrip"].item().decode().startswith(notices_for("colour_picture")[0])
    assert document["origin"] == "colour_picture"
    assert document["notices"] == notices_for("colour_picture")
    assert document["maps"] == [{"name": "tmax", "file": "tmax.nii.gz", "unit": "s", "range": [0, 12]}]
    assert np.abs(np.array(document["colour_table"]["bar_px"]) - BAR).max() <= 1
    assert document["left_right"] == "known"
    assert len(document["input"]["sha256"]) == 64
    assert "DOE" not in (out / "colours.json").read_text()


def test_left_and_right_are_said_to_be_unknown_unless_the_user_knows(png: Path, tmp_path: Path):
    document = run(png, "-o", tmp_path / "out", "--range", "0,12")
    assert document["left_right"] == document["position"] == "unknown"
    assert any("Left and right are unknown" in note for note in document["notes"])
    assert any("assumed to be 1 mm" in note for note in document["notes"])


@pytest.mark.parametrize("table", ["viridis", "picture"])
def test_a_named_table_and_a_picture_of_a_bar_give_the_same_numbers(table: str, tmp_path: Path):
    Image.fromarray(picture(bar=False)).save(tmp_path / "map.png")
    drawn = np.repeat(colour_table("viridis")[::-1, None], 12, axis=1)
    Image.fromarray(drawn).save(tmp_path / "bar.png")
    given = tmp_path / "bar.png" if table == "picture" else table
    run(tmp_path / "map.png", "-o", tmp_path / "out", "--range", "0,12", "--table", given)
    values = nib.load(tmp_path / "out" / "tmax.nii.gz").get_fdata()[..., 0].T
    assert np.abs(values - tmax())[brain()].max() < 12 / 255


def test_a_table_that_disagrees_with_the_pictures_own_bar_is_doubted(png: Path, tmp_path: Path):
    squeezed = colour_table("viridis")[(np.linspace(0, 1, 256) ** 2 * 255).astype(int)]
    Image.fromarray(np.repeat(squeezed[::-1, None], 12, axis=1)).save(tmp_path / "bar.png")
    document = run(png, "-o", tmp_path / "out", "--range", "0,12", "--table", tmp_path / "bar.png")
    assert any("disagrees with the picture's own bar" in note for note in document["notes"])
    agreed = run(png, "-o", tmp_path / "again", "--range", "0,12", "--table", "viridis")
    assert not any("disagrees" in note for note in agreed["notes"])
    assert agreed["colour_table"]["against_the_bar"]["mean"] < 0.01


def test_a_folder_of_slices_is_stacked_in_the_order_of_their_numbers(tmp_path: Path):
    folder = tmp_path / "slices"
    folder.mkdir()
    for k in (0, 1, 9, 10):
        Image.fromarray(picture(k)).save(folder / f"map{k}.png")
    (folder / "readme.txt").write_text("not a picture")
    document = run(folder, "-o", tmp_path / "out", "--range", "0,12", "--spacing", "1,1,5", "--map", "mtt")
    image = nib.load(tmp_path / "out" / "mtt.nii.gz")
    assert image.shape == (COLUMNS, ROWS, 4)
    assert image.header.get_zooms() == (1, 1, 5)
    inside = brain().T
    means = [image.get_fdata()[..., k][inside].mean() for k in range(4)]
    expected = [np.clip(tmax(k), 0, 12)[brain()].mean() for k in (0, 1, 9, 10)]
    assert means == pytest.approx(expected, abs=0.05)
    assert any("1 files that are no pictures" in note for note in document["notes"])


def test_the_grey_wedge_of_the_ct_is_not_taken_for_the_maps_bar(tmp_path: Path):
    rgb = np.hstack([picture(), np.zeros((ROWS, 40, 3), np.uint8)])
    rgb[10:110, 170:182] = np.linspace(255, 30, 100).astype(np.uint8)[:, None, None]
    Image.fromarray(rgb).save(tmp_path / "wedge.png")
    document = run(tmp_path / "wedge.png", "-o", tmp_path / "out", "--range", "0,12")
    assert len(document["colour_table"]["bar_px"]) == 4
    assert abs(document["colour_table"]["bar_px"][0] - BAR[0]) <= 1


def test_two_maps_in_one_picture_need_a_crop(tmp_path: Path):
    Image.fromarray(np.hstack([picture(), picture(5)])).save(tmp_path / "two.png")
    with pytest.raises(InputError) as caught:
        run(tmp_path / "two.png", "-o", tmp_path / "out", "--range", "0,12")
    assert caught.value.code == "no_colour_bar"
    assert "300,10,310,110" in caught.value.got
    document = run(tmp_path / "two.png", "-o", tmp_path / "out", "--range", "0,12", "--crop", "160,0,320,120")
    assert document["colour_table"]["bar_px"] == [300, 10, 310, 110]
    values = nib.load(tmp_path / "out" / "tmax.nii.gz").get_fdata()[..., 0].T
    assert np.abs(values - np.clip(tmax(5), 0, 12))[brain()].max() < 0.12


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--range", "0,12", "--table", "asist"), "colours_not_on_table"),
        (("--range", "12"), "bad_option"),
        (("--range", "5,5"), "bad_range"),
        (("--range", "0,nan"), "bad_option"),
        (("--range", "0,12", "--map", "ttd"), "unit"),
        (("--range", "0,12", "--map", "../x", "--unit", "s"), "bad_map"),
        (("--range", "0,12", "--crop", "0,0,999,9"), "bad_crop"),
        (("--range", "0,12", "--bar", "5,5,5,9"), "bad_bar"),
        (("--range", "0,12", "--spacing", "0"), "bad_spacing"),
        (("--range", "0,12", "--tolerance", "0"), "bad_tolerance"),
        (("--range", "0,12", "--table", "no-such-file.png"), "file_missing"),
        (("--range", "0,12", "--crop", "0,0,12,10"), "no_colours"),
    ],
)
def test_what_cannot_be_read_is_refused_and_leaves_nothing(png: Path, tmp_path: Path, options: tuple, code: str):
    with pytest.raises(InputError) as caught:
        run(png, "-o", tmp_path / "out", *options)
    assert caught.value.code == code
    assert "DOE" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [png]


def test_slices_that_do_not_belong_together_are_refused(tmp_path: Path):
    folder = tmp_path / "slices"
    folder.mkdir()
    Image.fromarray(picture()).save(folder / "1.png")
    Image.fromarray(picture(table="asist")).save(folder / "2.png")
    with pytest.raises(InputError) as caught:
        run(folder, "-o", tmp_path / "out", "--range", "0,12")
    assert caught.value.code == "bars_differ"
    Image.fromarray(picture()[:100]).save(folder / "2.png")
    with pytest.raises(InputError) as caught:
        run(folder, "-o", tmp_path / "out", "--range", "0,12")
    assert caught.value.code == "sizes_differ"


def test_jpeg_is_said_and_palettes_and_transparency_are_read(tmp_path: Path):
    rgb = picture()
    Image.fromarray(rgb).save(tmp_path / "a.jpg", quality=90)
    document = run(tmp_path / "a.jpg", "-o", tmp_path / "jpg", "--range", "0,12")
    assert document["input"]["lossy"] is True
    assert any("JPEG" in note for note in document["notes"])
    clear = np.dstack([rgb, np.where(rgb.any(axis=-1), 255, 0).astype(np.uint8)])
    clear[~rgb.any(axis=-1), :3] = (0, 120, 200)  # a colour that nobody sees
    Image.fromarray(clear).save(tmp_path / "a.png")
    run(tmp_path / "a.png", "-o", tmp_path / "clear", "--range", "0,12")
    valid = nib.load(tmp_path / "clear" / "valid.nii.gz").get_fdata()[..., 0].T > 0
    assert np.array_equal(valid, brain())


def test_the_check_picture_leaves_out_what_lies_far_from_the_map(png: Path, tmp_path: Path):
    """A name burnt into a corner is not shown again."""
    rgb = np.zeros((300, 400, 3), np.uint8)
    rgb[100:220, 100:260] = picture()
    rgb[5:25, 5:120] = (0, 255, 254)
    Image.fromarray(rgb).save(png)
    run(png, "-o", tmp_path / "out", "--range", "0,12")
    shown = np.asarray(Image.open(tmp_path / "out" / "check.png"))
    assert not (shown == (0, 255, 254)).all(axis=-1).any()
    assert shown.shape[1] > 3 * 400


def test_the_vendors_capture_becomes_a_time_to_drain_map(public_data: Path, tmp_path: Path):
    source = public_data / "ctp_vendor_rgb_maps" / "input.png"
    options = ("--range", "0,15", "--map", "ttd", "--unit", "s", "--crop", "517,0,1029,512")
    document = run(source, "-o", tmp_path / "out", *options)
    figures = document["figures"]
    assert figures["told_share"] > 0.97
    assert figures["mean_colour_distance_rgb"] < 3
    assert figures["estimated_error"] < 0.1
    assert nib.load(tmp_path / "out" / "ttd.nii.gz").get_fdata().max() == pytest.approx(15, abs=0.1)


def test_an_error_is_one_line_with_exit_code_2(png: Path, tmp_path: Path):
    command = [sys.executable, "-m", "perfusynth.cli.main", "colours", str(png), "-o", str(tmp_path / "out")]
    ended = subprocess.run(
        [*command, "--range", "0,12", "--table", "asist"], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines()[-1].startswith("perfusynth: [colours_not_on_table]")
    assert "Traceback" not in ended.stderr
