"""From files to a folder of maps: NIfTI and DICOM alike, on the study's grid, with all that the maps rest on."""

import dataclasses
from pathlib import Path

import jsonschema_rs
import nibabel as nib
import numpy as np
import pytest

from perfusynth.ctp_maps.measure import measure_maps
from perfusynth.ctp_maps.pipeline import make_maps
from perfusynth.ctp_maps.settings import MapSettings
from perfusynth.errors import Cancelled, InputError
from perfusynth.perfusion.measurements import Measurements, json_schema
from perfusynth.volumes.geometry import corners, nearest_ras
from perfusynth.volumes.nifti import read_nifti
from tests.ctp_maps.study import (
    PROTOCOL,
    SIDE,
    in_ras,
    stored_as,
    study,
    with_frames,
    write_dicom_study,
    write_nifti_study,
)

STILL = MapSettings(motion=None)
UNITS = {"tmax": "s", "cbf": "mL/100 g/min", "cbv": "mL/100 g", "mtt": "s"}


def made(source: Path, out: Path, settings: MapSettings = STILL, **options) -> Path:
    out.mkdir()
    make_maps(source, out, settings, **{"report": False} | options)
    return out


def positions(folder: Path) -> np.ndarray:
    """RAS mm of the AIF's voxels, from their indices and the map's own affine."""
    affine = nib.load(folder / "tmax.nii.gz").affine
    voxels = np.array(measured(folder).deconvolution.aif.voxels)
    return voxels @ affine[:3, :3].T + affine[:3, 3]


def measured(folder: Path) -> Measurements:
    return Measurements.read_json(folder / "measurements.json")


@pytest.fixture(scope="module")
def nifti(tmp_path_factory) -> Path:
    return write_nifti_study(tmp_path_factory.mktemp("study") / "ctp.nii.gz", study())


@pytest.fixture(scope="module")
def result(nifti, tmp_path_factory) -> Path:
    return made(nifti, tmp_path_factory.mktemp("result") / "out", MapSettings(), report=True)


def test_all_files_are_there_and_lie_on_the_studys_grid(result, nifti):
    assert {path.name for path in result.iterdir()} == {
        *(f"{name}.nii.gz" for name in ("tmax", "cbf", "cbv", "mtt", "brain", "valid", "baseline")),
        "measurements.json", "report.html", "report.png",
    }  # fmt: skip
    source = nib.load(nifti)
    for path in result.glob("*.nii.gz"):
        image = nib.load(path)
        assert image.shape == source.shape[:3]
        assert image.affine.tobytes() == source.affine.tobytes()
        for field in ("slice_code", "qform_code", "sform_code", "xyzt_units", "toffset"):
            assert image.header[field] == source.header[field]
        assert np.isfinite(image.get_fdata()).all()
    for name in ("brain", "valid"):
        assert set(np.unique(nib.load(result / f"{name}.nii.gz").dataobj)) <= {0, 1}
    for name in UNITS:
        assert nib.load(result / f"{name}.nii.gz").get_data_dtype() == np.float32


def test_method_and_constants_stand_with_every_map(result):
    document = measured(result)
    jsonschema_rs.validator_for(json_schema()).validate(document.model_dump(mode="json", exclude_none=True))
    used = document.deconvolution
    assert (document.origin, used.method, used.oscillation, used.threshold) == ("deconvolved", "osvd", 0.035, None)
    assert (used.haematocrit_factor, used.density_g_per_ml, used.smoothing_mm) == (0.73, 1.05, (2.8, 0.0))
    assert (used.frames, used.frame_interval_s) == (study().frames, PROTOCOL.frame_s)
    assert {entry.name: entry.unit for entry in document.maps} == UNITS
    assert used.motion.largest_mm < 0.1  # the phantom lies still
    for name in UNITS:
        line = bytes(nib.load(result / f"{name}.nii.gz").header["descrip"]).rstrip(b"\0").decode()
        assert line.startswith("Deconvolved, research use only; osvd 0.035; kH 0.73")


def test_the_voxels_of_artery_and_vein_are_told_in_stored_order(result, nifti):
    frames, times = nib.load(nifti).get_fdata(), study().times_s
    used = measured(result).deconvolution
    np.testing.assert_allclose(positions(result), used.aif.positions_ras_mm, atol=1e-3)
    for vessel in (used.aif, used.vof):
        curve = frames[tuple(np.array(vessel.voxels).T)].mean(axis=0)
        curve -= curve[: used.baseline_frames].mean()
        assert curve.max() == pytest.approx(vessel.peak_hu, abs=0.5)
        assert times[curve.argmax()] == vessel.peak_s
    assert used.aif.peak_s < used.vof.peak_s
    assert used.aif.selection == "automatic"


@pytest.mark.parametrize("axes", ["LPS", "SAR"])
def test_another_stored_order_keeps_left_left(axes, result, tmp_path):
    source = write_nifti_study(tmp_path / "ctp.nii", stored_as(study(), axes))
    out = made(source, tmp_path / "out")
    assert nib.load(out / "tmax.nii.gz").affine.tobytes() == nib.load(source).affine.tobytes()
    for name in UNITS:
        there, here = (in_ras(read_nifti(folder / f"{name}.nii.gz")) for folder in (out, result))
        np.testing.assert_allclose(there, here, atol=2e-3)
    document, expected = measured(out), measured(result)
    assert document.laterality.side == expected.laterality.side == SIDE
    assert document.volumes_ml == pytest.approx(expected.volumes_ml, abs=0.1)
    np.testing.assert_allclose(positions(out), document.deconvolution.aif.positions_ras_mm, atol=1e-3)
    np.testing.assert_allclose(positions(out), positions(result), atol=1e-3)


def test_dicom_gives_the_maps_of_nifti(result, tmp_path):
    folder = write_dicom_study(tmp_path / "dicom", study())
    out = made(folder, tmp_path / "out", MapSettings())
    for name in (*UNITS, "brain", "baseline"):
        there, here = (nearest_ras(read_nifti(place / f"{name}.nii.gz")) for place in (out, result))
        np.testing.assert_allclose(there.array, here.array, atol=1e-3)
        np.testing.assert_allclose(corners(there.shape, there.affine), corners(here.shape, here.affine), atol=1e-3)
    document, expected = measured(out), measured(result)
    assert document.input.kind == "dicom"
    assert document.laterality.side == SIDE
    assert document.volumes_ml == pytest.approx(expected.volumes_ml, abs=0.1)
    np.testing.assert_allclose(positions(out), positions(result), atol=1e-3)
    assert "Secret" not in (out / "measurements.json").read_text()


def test_measuring_the_maps_again_gives_the_same_numbers(result):
    document = measured(result)
    for brain in (None, result / "brain.nii.gz"):
        again = measure_maps(result / "tmax.nii.gz", result / "cbf.nii.gz", brain_path=brain).measurements
        for field in ("volumes_ml", "core", "mismatch_ml", "hir", "laterality", "deconvolution", "origin", "brain_ml"):
            assert getattr(again, field) == getattr(document, field), field


def test_measuring_again_agrees_where_the_head_left_the_coverage(tmp_path):
    array = study().array.copy()
    array[..., 15:] = np.concatenate([array[:, :, 1:, 15:], array[:, :, -1:, 15:]], axis=2)  # 10 mm down
    out = made(write_nifti_study(tmp_path / "ctp.nii", with_frames(array)), tmp_path / "out", MapSettings())
    document = measured(out)
    valid = np.asarray(nib.load(out / "valid.nii.gz").dataobj) > 0
    assert not valid.all()
    assert document.deconvolution.motion.corrected_frames > 0
    again = measure_maps(out / "tmax.nii.gz", out / "cbf.nii.gz").measurements
    for field in ("volumes_ml", "core", "mismatch_ml", "hir", "brain_ml"):
        assert getattr(again, field) == getattr(document, field), field


def test_one_bad_frame_in_a_still_study_is_mended_and_told(tmp_path):
    array = study().array.copy()
    array[..., 20] = np.random.default_rng(0).integers(-1000, 1000, array.shape[:3])
    out = made(write_nifti_study(tmp_path / "ctp.nii", with_frames(array)), tmp_path / "out", MapSettings())
    motion = measured(out).deconvolution.motion
    assert (motion.corrected_frames, motion.interpolated_frames, motion.grade) == (0, [20], "partly_mended")
    assert any("frame" in note.lower() for note in measured(out).input.notes)


def test_half_a_head_names_no_side(tmp_path):
    half = study().array[:62]
    out = made(write_nifti_study(tmp_path / "ctp.nii", with_frames(half)), tmp_path / "out", report=True)
    document = measured(out)
    assert document.laterality is None
    assert document.midplane is None
    assert any("no side is named" in note for note in document.input.notes)
    assert (out / "report.png").stat().st_size > 0
    assert measure_maps(out / "tmax.nii.gz", out / "cbf.nii.gz").measurements.laterality is None


def test_a_map_under_another_name_is_refused(result):
    with pytest.raises(InputError) as caught:
        measure_maps(result / "mtt.nii.gz", result / "cbf.nii.gz")
    assert caught.value.code == "other_map"
    with pytest.raises(InputError) as caught:
        measure_maps(result / "tmax.nii.gz", result / "cbv.nii.gz")
    assert caught.value.code == "other_map"


def test_brain_that_is_not_measured_is_told(nifti, result, tmp_path):
    wide = dataclasses.replace(STILL, tissue=dataclasses.replace(STILL.tissue, rim_mm=9.0))
    out = made(nifti, tmp_path / "out", wide)
    assert any("were not measured" in note for note in measured(out).input.notes)
    assert not any("were not measured" in note for note in measured(result).input.notes)


def test_another_method_stands_in_its_maps(nifti, tmp_path):
    deconvolution = dataclasses.replace(STILL.deconvolution, method="csvd", threshold=0.2)
    out = made(nifti, tmp_path / "out", dataclasses.replace(STILL, deconvolution=deconvolution))
    used = measured(out).deconvolution
    assert (used.method, used.threshold, used.oscillation, used.motion) == ("csvd", 0.2, None, None)
    assert b"csvd 0.2" in bytes(nib.load(out / "cbf.nii.gz").header["descrip"])


@pytest.mark.parametrize("limit", [0.05, 0.4, 0.8])
def test_a_cancelled_study_writes_no_measurements(limit, nifti, tmp_path):
    def stop(stage: str, fraction: float) -> None:
        if fraction >= limit:
            raise Cancelled

    with pytest.raises(Cancelled):
        make_maps(nifti, tmp_path, MapSettings(), on_progress=stop)
    assert not list(tmp_path.iterdir())
