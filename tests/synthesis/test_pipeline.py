"""The whole line with the shipped weights, on the shipped phantom case and on a real head CT."""

import nibabel as nib
import numpy as np
import pytest
from nibabel.processing import resample_from_to

from perfusynth.errors import Cancelled, InputError
from perfusynth.perfusion.measurements import Measurements
from perfusynth.perfusion.notices import NOT_VALID_FOR_PATIENTS, SYNTHETIC
from perfusynth.shared_files import shared_folders
from perfusynth.synthesis.options import SynthesisOptions
from perfusynth.synthesis.phantom_cases import is_phantom
from perfusynth.synthesis.pipeline import Pipeline
from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.geometry import corners

CASE = shared_folders("sample-data")[0] / "phantom-4000020"


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline.load("ncct_perfusion", device="cpu")


@pytest.fixture(scope="module")
def phantom_result(pipeline, tmp_path_factory):
    out = tmp_path_factory.mktemp("phantom")
    stages: list[tuple[str, float]] = []
    measured = pipeline.run({"ncct": CASE / "ncct.nii.gz"}, out, on_progress=lambda *stage: stages.append(stage))
    return out, measured, stages


def test_maps_lie_on_the_very_grid_of_the_nifti(phantom_result):
    out, measured, _ = phantom_result
    ncct = nib.load(CASE / "ncct.nii.gz")
    brain = np.asarray(nib.load(out / "brain.nii.gz").dataobj) > 0
    for entry in measured.maps:
        image = nib.load(out / entry.file)
        assert image.shape == ncct.shape
        assert np.array_equal(image.affine, ncct.affine)
        assert image.get_data_dtype() == np.float32
        assert image.header["descrip"].item().decode().startswith(SYNTHETIC)
        values = np.asarray(image.dataobj)
        assert np.isfinite(values).all()
        assert not values[~brain].any()
        assert entry.range[0] <= values.min() < values.max() <= entry.range[1]
    assert not (out / "ncct.nii.gz").exists(), "an even orthogonal NIfTI is not resampled"


def test_the_deficit_of_the_phantom_is_seen_on_its_side(phantom_result):
    """Where the patient's own Tmax is above 6 s the made one is longer than at the mirrored places."""
    out, measured, _ = phantom_result
    image = nib.load(out / "tmax.nii.gz")
    made = np.asarray(image.dataobj)
    truth = resample_from_to(nib.load(CASE / "tmax.nii.gz"), image, order=1).get_fdata()
    brain = np.asarray(nib.load(out / "brain.nii.gz").dataobj) > 0
    affine = nib.load(CASE / "ncct.nii.gz").affine
    deficit = (truth > 6) & brain
    mean_x = nib.affines.apply_affine(affine, np.argwhere(deficit))[:, 0].mean()
    midplane = Midplane(np.array(measured.midplane.point), np.array(measured.midplane.normal))
    right = midplane.right_of(brain.shape, affine)
    other = ~right if mean_x > 0 else right
    assert made[deficit].mean() > made[brain & other].mean() + 0.5
    volumes = measured.laterality.right_ml, measured.laterality.left_ml
    own_ml, other_ml = volumes if mean_x > 0 else reversed(volumes)
    assert own_ml > 15
    assert own_ml > 2 * other_ml


def test_a_flipped_head_gives_flipped_maps(pipeline, phantom_result, tmp_path):
    out, upright, _ = phantom_result
    image = nib.load(CASE / "ncct.nii.gz")
    mirrored = nib.Nifti1Image(np.flip(np.asarray(image.dataobj), 0), image.affine)
    nib.save(mirrored, tmp_path / "mirrored.nii.gz")
    (tmp_path / "out").mkdir()
    measured = pipeline.run({"ncct": tmp_path / "mirrored.nii.gz"}, tmp_path / "out")
    brain = np.asarray(nib.load(out / "brain.nii.gz").dataobj) > 0
    for entry in measured.maps:
        there = np.asarray(nib.load(out / entry.file).dataobj)
        here = np.flip(np.asarray(nib.load(tmp_path / "out" / entry.file).dataobj), 0)
        spread = there[brain].std()
        assert np.abs(here - there)[brain].mean() < 0.1 * spread
        assert np.abs(np.flip(here, 0) - there)[brain].mean() > 0.2 * spread, "the head is not symmetric"
    assert measured.laterality.right_ml == pytest.approx(upright.laterality.left_ml, rel=0.1)
    assert measured.laterality.left_ml == pytest.approx(upright.laterality.right_ml, rel=0.1, abs=2)


def test_the_document_tells_what_it_is(phantom_result):
    out, measured, stages = phantom_result
    assert Measurements.read_json(out / "measurements.json") == measured
    assert measured.notices == [SYNTHETIC, NOT_VALID_FOR_PATIENTS]
    assert measured.input.is_phantom
    assert measured.model.weights_sha256 == Pipeline.load("ncct_perfusion").bundle.weights_sha256()
    assert measured.brain_method.startswith("builtin")
    assert set(measured.timings_s) == {"read", "check", "mask", "generate", "measure", "package"}
    fractions = [fraction for _, fraction in stages]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)


def test_a_phantom_is_known_by_its_voxels_alone(tmp_path):
    assert not is_phantom("0" * 64, tmp_path / "ncct.nii.gz")
    (tmp_path / "case.json").write_text('{"kind": "phantom", "ncct_sha256": "' + "0" * 64 + '"}')
    assert is_phantom("0" * 64, tmp_path / "ncct.nii.gz")
    assert not is_phantom("1" * 64, tmp_path / "ncct.nii.gz")
    (tmp_path / "case.json").write_text('{"kind": "study", "ncct_sha256": "' + "0" * 64 + '"}')
    assert not is_phantom("0" * 64, tmp_path / "ncct.nii.gz")


def test_a_tilted_dicom_series_brings_its_resampled_ncct(pipeline, public_data, tmp_path):
    measured = pipeline.run({"ncct": public_data / "ge_ncct_tilt" / "dicom"}, tmp_path)
    ncct, tmax = nib.load(tmp_path / "ncct.nii.gz"), nib.load(tmp_path / "tmax.nii.gz")
    assert measured.input.resampled
    assert not measured.input.is_phantom
    np.testing.assert_allclose(corners(tmax.shape, tmax.affine), corners(ncct.shape, ncct.affine), atol=1e-3)
    inside = np.asarray(nib.load(tmp_path / "brain.nii.gz").dataobj) > 0
    hu = np.asarray(ncct.dataobj)[inside]
    assert 20 < np.median(hu) < 45
    assert 900 < measured.brain_ml < 1900


def test_a_refused_input_leaves_nothing_and_an_override_is_recorded(pipeline, public_data, tmp_path):
    image = nib.load(public_data / "ge_ncct_tilt" / "ge_ncct_tiltcorr_0.98x0.98x2.62mm.nii.gz")
    values = np.asarray(image.dataobj).astype(np.int16)
    x, y, z = np.indices(values.shape)
    brain_centre = np.argwhere((values > 20) & (values < 50)).mean(0)
    distance = sum(
        ((axis - c) * s) ** 2 for axis, c, s in zip((x, y, z), brain_centre, image.header.get_zooms(), strict=True)
    )
    bleeding = np.where((distance < 22**2) & (values < 100), 68, values).astype(np.int16)
    nib.save(nib.Nifti1Image(bleeding, image.affine), tmp_path / "bleeding.nii.gz")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(InputError) as caught:
        pipeline.run({"ncct": tmp_path / "bleeding.nii.gz"}, out)
    assert caught.value.code == "blood"
    assert "blood" in caught.value.hint
    assert not list(out.iterdir())
    options = SynthesisOptions(override=("blood", "metal"))
    measured = pipeline.run({"ncct": tmp_path / "bleeding.nii.gz"}, out, options=options)
    assert measured.overrides == ["blood"]
    assert "blood" in {check.code for check in measured.checks}


def test_cancelling_between_stages_leaves_no_result(pipeline, tmp_path):
    def stop(stage, fraction):
        if stage == "generate" and fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        pipeline.run({"ncct": CASE / "ncct.nii.gz"}, tmp_path, on_progress=stop)
    assert not list(tmp_path.iterdir())


def test_thin_and_thick_slices_of_one_head_mean_the_same(pipeline, phantom_result, tmp_path):
    """Slices cut in three along z hold the same anatomy: the maps must not depend on how it was stored."""
    _, thick, _ = phantom_result
    image = nib.load(CASE / "ncct.nii.gz")
    values = np.repeat(np.asarray(image.dataobj), 3, axis=2)
    affine = image.affine.copy()
    affine[:3, 3] -= affine[:3, 2] / 3
    affine[:3, 2] /= 3
    nib.save(nib.Nifti1Image(values, affine), tmp_path / "thin.nii.gz")
    (tmp_path / "out").mkdir()
    thin = pipeline.run({"ncct": tmp_path / "thin.nii.gz"}, tmp_path / "out")
    assert thin.laterality.side == thick.laterality.side
    assert thin.volumes_ml["4"] == pytest.approx(thick.volumes_ml["4"], rel=0.15, abs=5)
    assert thin.brain_ml == pytest.approx(thick.brain_ml, rel=0.03)


def test_another_modality_name_is_refused(pipeline, tmp_path):
    with pytest.raises(InputError) as caught:
        pipeline.run({"cta": CASE / "ncct.nii.gz"}, tmp_path)
    assert caught.value.code == "wrong_inputs"
