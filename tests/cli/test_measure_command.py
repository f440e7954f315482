"""`perfusynth measure`: known volumes out of any program's maps, and nothing out of what cannot be such maps."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import nrrd
import numpy as np
import pytest
from PIL import Image

from perfusynth.ctp_maps.measure import measure_maps
from perfusynth.errors import InputError
from perfusynth.perfusion.deconvolution_block import Deconvolution, deconvolution_description
from perfusynth.perfusion.measurements import Measurements
from perfusynth.perfusion.notices import FROM_COLOURS, NOT_VALID_FOR_PATIENTS, SYNTHETIC, VENDOR
from perfusynth.perfusion.regions import RegionSettings
from perfusynth.phantom.ctp.maps import measured_maps
from perfusynth.phantom.ctp.protocols import PROTOCOLS, native_ctp_grid
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.nifti import read_nifti, write_nifti
from perfusynth.volumes.volume import Volume

#: Radii of the deficit and of the core in it, mm.
DEFICIT_MM, CORE_MM = 22.0, 13.0


def ball_ml(radius: float) -> float:
    return 4 / 3 * np.pi * radius**3 / 1000


class Maps:
    """An ellipsoid brain with a ball of late and a smaller ball of low flow, on the patient's left by default."""

    def __init__(self, folder: Path, x_mm: float = -35.0, turn_deg: float = 0.0, off_mm: float = 0.0):
        self.folder = folder
        spacing, size = np.array([2.0, 2.0, 4.0]), (84, 96, 34)
        self.affine = np.diag([*spacing, 1.0])
        self.affine[:3, 3] = -(np.array(size) - 1) * spacing / 2
        index = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), axis=-1)
        place = index @ self.affine[:3, :3].T + self.affine[:3, 3] - [off_mm, 0, 0]
        cosine, sine = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
        along = np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1.0]])
        x, y, z = np.moveaxis(place @ along.T, -1, 0)
        self.normal, self.point = along[0], np.array([off_mm, 0, 0])
        # Egg-shaped: broader behind, as heads are, and mirror-symmetric in x alone.
        self.brain = (x / (62 - 0.1 * y)) ** 2 + (y / 80) ** 2 + ((z - 5) / 55) ** 2 < 1
        away = np.sqrt((x - x_mm) ** 2 + y**2 + z**2)
        noise = np.random.default_rng(1).normal(0, 0.3, x.shape)
        self.tmax = np.where(away < DEFICIT_MM, 9.0, 2.5 + noise) * self.brain
        self.cbf = np.where(away < CORE_MM, 6.0, np.where(away < DEFICIT_MM, 25.0, 45.0 + 10 * noise)) * self.brain
        ventricle = (x / 8) ** 2 + (y / 25) ** 2 + (z / 15) ** 2 < 1
        self.tmax[ventricle] = self.cbf[ventricle] = 0

    def save(self, name: str, array: np.ndarray, affine: np.ndarray | None = None, description: str = "") -> Path:
        path = self.folder / f"{name}.nii.gz"
        volume = Volume(array, self.affine if affine is None else affine)
        write_nifti(path, volume, description=description)
        return path

    def paths(self) -> tuple[Path, Path]:
        return self.save("a", self.tmax), self.save("b", self.cbf)


@pytest.fixture
def maps(tmp_path) -> Maps:
    return Maps(tmp_path)


def test_balls_of_known_volume_are_measured(maps):
    measured = measure_maps(*maps.paths()).measurements
    assert measured.volumes_ml["6"] == pytest.approx(ball_ml(DEFICIT_MM), rel=0.04)
    assert measured.volumes_ml["8"] == measured.volumes_ml["6"]
    assert measured.volumes_ml["10"] == 0
    assert measured.core.ml == pytest.approx(ball_ml(CORE_MM), rel=0.06)
    assert measured.core.normal_cbf == pytest.approx(45, abs=1)
    assert measured.mismatch_ml == pytest.approx(measured.volumes_ml["6"] - measured.core.ml, abs=0.02)
    assert measured.laterality.side == "left"
    assert measured.brain_ml == pytest.approx(np.count_nonzero(maps.brain) * 0.016, rel=0.001)  # ventricles filled
    assert (measured.origin, measured.notices) == ("vendor", [VENDOR])


def test_thresholds_and_core_are_settings(maps):
    settings = RegionSettings(
        tmax_thresholds_s=(5.0, 8.5),
        hypoperfusion_s=5.0,
        severe_s=8.5,
        core_fraction=0.20,
        core_reference="contralateral",
    )
    measured = measure_maps(*maps.paths(), settings=settings).measurements
    assert measured.volumes_ml.keys() == {"5", "8.5"}
    assert measured.hir == pytest.approx(1)
    assert "20% of the contralateral hemisphere" in measured.core.method


def test_without_cbf_there_are_volumes_and_no_core(maps):
    measured = measure_maps(maps.paths()[0], None).measurements
    assert measured.volumes_ml["6"] == pytest.approx(ball_ml(DEFICIT_MM), rel=0.04)
    assert (measured.core, measured.mismatch_ml) == (None, None)
    assert any("No CBF map" in note for note in measured.input.notes)


def test_a_map_stored_otherwise_as_nrrd_measures_the_same(maps, tmp_path):
    expected = measure_maps(*maps.paths()).measurements
    flipped = maps.cbf[::-1, :, ::-1]
    corner = maps.affine @ [maps.cbf.shape[0] - 1, 0, maps.cbf.shape[2] - 1, 1]
    header = {
        "space": "left-posterior-superior",
        "space directions": np.diag([2.0, -2.0, -4.0]),
        "space origin": corner[:3] * [-1, -1, 1],
    }
    nrrd.write(str(tmp_path / "cbf.nrrd"), flipped.astype(np.float32), header)
    measured = measure_maps(maps.paths()[0], tmp_path / "cbf.nrrd").measurements
    assert (measured.core, measured.volumes_ml) == (expected.core, expected.volumes_ml)
    assert measured.input.sha256 == expected.input.sha256


def test_a_given_brain_bounds_what_is_measured(maps):
    behind = maps.brain & (np.arange(maps.brain.shape[1])[None, :, None] < 40)
    mask = maps.save("mask", behind)
    measured = measure_maps(*maps.paths(), brain_path=mask).measurements
    assert measured.brain_ml == pytest.approx(np.count_nonzero(behind) * 0.016, abs=0.01)
    assert measured.brain_method == "given mask"
    assert measured.volumes_ml["6"] < 0.5 * ball_ml(DEFICIT_MM)


@pytest.mark.parametrize(("turn_deg", "off_mm"), [(0, 0), (12, 9), (-15, -6)])
@pytest.mark.parametrize("x_mm", [-35.0, 35.0])
def test_the_outline_tells_the_midplane_of_a_turned_head(tmp_path, turn_deg, off_mm, x_mm):
    maps = Maps(tmp_path, x_mm, turn_deg, off_mm)
    measured = measure_maps(*maps.paths()).measurements
    assert np.degrees(np.arccos(min(1, np.dot(measured.midplane.normal, maps.normal)))) < 2
    found = Midplane(np.array(measured.midplane.point), np.array(measured.midplane.normal))
    assert abs(found.signed_distance(maps.point)) < 2
    assert measured.laterality.side == ("left" if x_mm < 0 else "right")


def test_one_hemisphere_alone_names_no_side(maps):
    half = np.arange(maps.brain.shape[0])[:, None, None] < 34
    corner = half & (np.arange(maps.brain.shape[1])[None, :, None] < 50 + np.arange(maps.brain.shape[0])[:, None, None])
    measured = measure_maps(maps.save("a", maps.tmax * corner), maps.save("b", maps.cbf * corner)).measurements
    assert (measured.midplane, measured.laterality) == (None, None)
    assert any("no side is named" in note for note in measured.input.notes)


def test_a_ct_tells_the_midplane_and_must_be_one(maps):
    head = np.where(maps.brain, 34.0, -1000.0)
    measured = measure_maps(*maps.paths(), ncct_path=maps.save("ct", head))
    assert measured.ct is not None
    assert not any("outline" in note for note in measured.measurements.input.notes)
    with pytest.raises(InputError) as refused:
        measure_maps(*maps.paths(), ncct_path=maps.save("no_ct", maps.tmax))
    assert refused.value.code == "not_a_ct"


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (lambda m: (m.tmax * 1000, m.cbf), "tmax_unit", "milliseconds"),
        (lambda m: (m.tmax + 30 * m.brain, m.cbf), "tmax_unit", "median of 32"),
        (lambda m: (m.tmax > 6, m.cbf), "tmax_unit", "at most 1"),
        (lambda m: (m.tmax, m.cbf / 100), "cbf_unit", "mL/min per mL"),
        (lambda m: (m.tmax, m.cbf * 10), "cbf_unit", "scale"),
        (lambda m: (m.tmax, m.cbf * 0), "empty_map", "0 everywhere"),
        (lambda m: (m.tmax * 0, m.cbf), "empty_map", "0 everywhere"),
        (lambda m: (m.tmax * 0, m.cbf * 0), "empty_map", "no voxels"),
        (lambda m: (m.tmax - 9 * (m.tmax > 6) - 9 * (m.tmax > 6), m.cbf), "negative_map", "Tmax"),
        (lambda m: (m.tmax, m.cbf - 20 * m.brain), "negative_map", "CBF"),
        (lambda m: (np.where(m.brain, m.tmax, np.nan), m.cbf), "not_finite", "NaN"),
        (lambda m: (m.cbf, m.tmax), "exchanged_maps", "exchanged"),
        (lambda m: (m.tmax + 0.1, m.cbf), "no_background", "--brain"),
    ],
)
def test_what_cannot_be_such_maps_is_refused(maps, change, code, says):
    tmax, cbf = change(maps)
    with pytest.raises(InputError) as refused:
        measure_maps(maps.save("a", tmax), maps.save("b", cbf))
    assert refused.value.code == code
    assert says in str(refused.value)
    assert str(maps.folder) not in str(refused.value)


def test_early_tissue_may_be_negative(maps):
    early = np.where((maps.tmax > 0) & (maps.tmax < 2.2), -1.5, maps.tmax)
    assert measure_maps(maps.save("a", early), maps.save("b", maps.cbf)).measurements.laterality.side == "left"


def moved(affine: np.ndarray, turn_deg: float = 0, shift_mm: float = 0, scale: float = 1) -> np.ndarray:
    cosine, sine = np.cos(np.deg2rad(turn_deg)), np.sin(np.deg2rad(turn_deg))
    turn = np.array([[cosine, -sine, 0, shift_mm], [sine, cosine, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    return turn @ affine @ np.diag([scale, 1, 1, 1])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: moved(a, shift_mm=2.5), "shifted by 2.5 mm"),
        (lambda a: moved(a, turn_deg=3), "turned by 3.00 degrees"),
        (lambda a: moved(a, scale=1.05), "2.1 x 2 x 4 mm instead of 2 x 2 x 4"),
    ],
)
def test_maps_on_two_grids_are_refused_with_how_they_differ(maps, change, says):
    with pytest.raises(InputError) as refused:
        measure_maps(maps.save("a", maps.tmax), maps.save("b", maps.cbf, change(maps.affine)))
    assert refused.value.code == "different_grids"
    assert says in refused.value.got


def test_grids_of_other_size_are_refused_and_rounding_is_not(maps):
    with pytest.raises(InputError, match="84 x 96 x 33 voxels"):
        measure_maps(maps.save("a", maps.tmax), maps.save("b", maps.cbf[:, :, 1:]))
    nearly = moved(maps.affine, shift_mm=5e-4)
    assert measure_maps(maps.save("a", maps.tmax), maps.save("b", maps.cbf, nearly)).measurements.core is not None


def test_colour_pictures_are_sent_to_the_command_that_reads_them(maps, tmp_path):
    rgb = np.zeros(maps.tmax.shape, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(rgb, maps.affine), tmp_path / "rgb.nii.gz")
    Image.new("RGB", (64, 64)).save(tmp_path / "map.png")
    for name in ("rgb.nii.gz", "map.png"):
        with pytest.raises(InputError, match="perfusynth colours") as refused:
            measure_maps(tmp_path / name, None)
        assert refused.value.code == "colour_picture"


def document(**changes) -> dict:
    content = {
        "origin": "synthetic",
        "notices": [SYNTHETIC, NOT_VALID_FOR_PATIENTS],
        "validated_on": "digital phantoms",
        "model": {"task": "t", "name": "n", "version": "1", "weights_sha256": "ab" * 32, "family": "turbo"},
        "software": {"version": "0.1.0"},
        "input": {
            "sha256": "0f" * 32, "kind": "nifti", "shape": (84, 96, 34), "spacing_mm": (2, 2, 4), "resampled": False,
            "is_phantom": False,
        },
        "maps": [{"name": n, "file": f"{n}.nii.gz", "unit": "s", "range": (0, 20)} for n in ("a", "b")],
    }  # fmt: skip
    return content | changes


def test_synthetic_maps_stay_synthetic(maps, tmp_path):
    paths = maps.paths()
    Measurements(**document()).write_json(tmp_path / "measurements.json")
    measured = measure_maps(*paths).measurements
    assert (measured.origin, measured.model.name) == ("synthetic", "n")
    assert SYNTHETIC in measured.notices
    assert measured.input.sha256 == "0f" * 32
    with pytest.raises(InputError) as refused:
        measure_maps(*paths, origin="vendor")
    assert refused.value.code == "contradictory_origin"


def test_synthetic_maps_without_their_document_are_refused(maps):
    alone = maps.save("a", maps.tmax, description=f"{SYNTHETIC}; simulated training, not valid for this patient")
    with pytest.raises(InputError) as refused:
        measure_maps(alone, None)
    assert refused.value.code == "no_document"
    with pytest.raises(InputError) as refused:
        measure_maps(alone, maps.save("b", maps.cbf))
    assert refused.value.code == "mixed_origins"


def test_a_document_of_other_maps_says_nothing(maps, tmp_path):
    Measurements(**document(maps=[])).write_json(tmp_path / "measurements.json")
    assert measure_maps(*maps.paths()).measurements.origin == "vendor"
    (tmp_path / "measurements.json").write_text("{ no json")
    assert measure_maps(*maps.paths()).measurements.origin == "vendor"


def test_numbers_from_colours_stay_so_and_an_unknown_side_is_not_named(maps, tmp_path):
    paths = maps.paths()
    told = {"origin": "colour_picture", "maps": [{"name": "tmax", "file": "a.nii.gz"}], "notes": ["JPEG."]}
    (tmp_path / "colours.json").write_text(json.dumps(told | {"left_right": "known"}))
    measured = measure_maps(*paths).measurements
    assert measured.origin == "colour_picture"
    assert FROM_COLOURS in measured.notices
    assert measured.laterality.side == "left"
    assert {"JPEG.", "The maps are of different origin: colour_picture, vendor."} <= set(measured.input.notes)
    (tmp_path / "colours.json").write_text(json.dumps(told | {"left_right": "unknown"}))
    assert measure_maps(*paths).measurements.laterality is None


def test_deconvolved_maps_keep_what_is_known_of_them(maps, tmp_path):
    block = Deconvolution(method="csvd", threshold=0.1, haematocrit_factor=0.73, notes=["Cut off."])
    description = deconvolution_description(block)
    paths = maps.save("a", maps.tmax, description=description), maps.save("b", maps.cbf, description=description)
    alone = measure_maps(*paths).measurements
    assert alone.origin == "deconvolved"
    assert alone.deconvolution.notes == ["Method and constants: csvd 0.1; kH 0.73."]
    content = document(origin="deconvolved", notices=alone.notices, model=None, validated_on=None, deconvolution=block)
    Measurements(**content).write_json(tmp_path / "measurements.json")
    assert measure_maps(*paths).measurements.deconvolution == block


def perfusynth(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "perfusynth.cli.main", "measure", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=120)


def test_the_command_writes_a_result_that_measures_the_same_again(maps, tmp_path):
    tmax, cbf = maps.paths()
    out = tmp_path / "out"
    ended = perfusynth("--tmax", tmax, "--cbf", cbf, "-o", out)
    assert ended.returncode == 0, ended.stderr
    assert VENDOR in ended.stdout
    assert "side: left" in ended.stdout
    assert {p.name for p in out.iterdir()} == {
        "brain.nii.gz", "cbf.nii.gz", "measurements.json", "report.html", "report.png", "tmax.nii.gz",
    }  # fmt: skip
    assert np.array_equal(read_nifti(out / "tmax.nii.gz").array, read_nifti(tmax).array)
    first = Measurements.read_json(out / "measurements.json")
    again = perfusynth("--tmax", out / "tmax.nii.gz", "--cbf", out / "cbf.nii.gz", "--json")
    second = Measurements.model_validate_json(again.stdout)
    assert second.model_copy(update={"created": first.created}) == first
    page = (out / "report.html").read_text(encoding="utf-8")
    assert VENDOR in page
    assert str(tmp_path) not in page + (out / "measurements.json").read_text()


def test_the_command_refuses_in_one_line_and_leaves_nothing(maps, tmp_path):
    tmax, cbf = maps.paths()
    before = sorted(tmp_path.iterdir())
    for arguments, code in (
        (("--tmax", cbf, "--cbf", tmax, "-o", tmp_path / "out"), "exchanged_maps"),
        (("--tmax", tmax, "-o", tmp_path / "out", "--core-fraction", "0.25"), "bad_option"),
        (("--tmax", tmax), "no_output"),
    ):
        ended = perfusynth(*arguments)
        assert ended.returncode == 2
        assert f"[{code}]" in ended.stderr.strip().splitlines()[-1]
        assert "Traceback" not in ended.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_a_digital_patients_side_is_found_from_the_maps_alone(tmp_path):
    patient = draw_patient(12)
    grid = native_ctp_grid(patient, PROTOCOLS["wide_160mm"])
    made = measured_maps(scene_of(patient), grid, PROTOCOLS["wide_160mm"], 1)
    for mirror, side in ((1, patient.stroke.side), (-1, {"left": "right", "right": "left"}[patient.stroke.side])):
        affine = np.diag([mirror, 1, 1, 1.0]) @ grid.affine
        for name in ("tmax", "cbf"):
            write_nifti(tmp_path / f"{name}.nii.gz", Volume(getattr(made, name), affine))
        measured = measure_maps(tmp_path / "tmax.nii.gz", tmp_path / "cbf.nii.gz").measurements
        assert measured.laterality.side == side
        assert measured.volumes_ml["6"] == pytest.approx(patient.stroke.tmax6_target_ml, rel=0.25)
