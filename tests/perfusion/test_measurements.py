"""The measurements document: honest, finite, versioned, and equal to its published schema."""

import json
from pathlib import Path

import jsonschema_rs
import numpy as np
import pytest
from pydantic import ValidationError

from perfusynth.perfusion.deconvolution_block import Deconvolution, InputCurve, deconvolution_description
from perfusynth.perfusion.measurements import Domain, Intervals, Measurements, json_schema, schema_text
from perfusynth.perfusion.notices import NOT_VALID_FOR_PATIENTS, SYNTHETIC, notices_for, short_notice
from perfusynth.perfusion.region_blocks import region_blocks
from perfusynth.perfusion.regions import RegionSettings, measure_regions
from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.volume import Volume

SCHEMA_FILE = Path(__file__).parents[2] / "docs/measurements.schema.json"

FIELDS = {
    "origin": "synthetic",
    "notices": [SYNTHETIC, NOT_VALID_FOR_PATIENTS],
    "validated_on": "digital phantoms",
    "model": {"task": "t", "name": "n", "version": "1", "weights_sha256": "ab" * 32, "family": "turbo"},
    "software": {"version": "0.1.0"},
    "input": {
        "sha256": "0f" * 32,
        "kind": "NIfTI",
        "shape": (512, 512, 40),
        "spacing_mm": (0.45, 0.45, 4.0),
        "resampled": False,
        "is_phantom": False,
    },
}

DECONVOLUTION = {
    "method": "csvd",
    "threshold": np.float32(0.1),
    "haematocrit_factor": 0.73,
    "density_g_per_ml": 1.05,
    "frame_interval_s": 1.5,
    "frames": 40,
    "baseline_frames": 4,
    "aif": {
        "voxels": np.array([[100, 90, 12], [101, 90, 12]]).tolist(),
        "positions_ras_mm": [(-32.1, 12.0, 5.0), (-33.0, 12.0, 5.0)],
        "peak_hu": 231.4,
        "peak_s": 14.5,
        "selection": "automatic",
    },
    "vof": {"voxels": [(128, 20, 20)], "positions_ras_mm": [(0, -80, 40)], "peak_hu": 410, "selection": "manual"},
    "partial_volume_factor": 1.62,
    "smoothing_mm": (2.8, 2.8),
    "motion": {"largest_mm": 3.21, "largest_deg": 1.4, "corrected_frames": 12, "interpolated_frames": [17]},
    "notes": ["The bolus was cut off at its end."],
}


def measured(tmax_s: float = 9.0, **settings):
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = -29
    tmax = np.full((30, 30, 30), 2.0)
    tmax[3:12, 5:25, 5:25] = tmax_s
    cbf = np.where(tmax > 6, 40.0, 50.0)
    cbf[4:10, 6:20, 6:20] = 5.0
    midplane = Midplane(np.zeros(3), np.array([1.0, 0, 0]))
    regions = measure_regions(
        Volume(tmax, affine), Volume(cbf, affine), np.ones(tmax.shape, bool), midplane, RegionSettings(**settings)
    )
    return region_blocks(regions, midplane) | FIELDS


def test_a_full_document_survives_file_and_schema(tmp_path):
    fields = measured() | {
        "checks": [{"code": "c", "severity": "warn", "message": "m", "expected": "e", "got": "g"}],
        "overrides": ["c"],
        "domain": {
            "verdict": "unusual",
            "text": "far",
            "score": np.float32(3.25),
            "limit": 1.4,
            "percentile": 100,
            "unusual": ["noise"],
        },
        "intervals": {"withheld": "no phantom"},
        "maps": [{"name": "tmax", "file": "tmax.nii.gz", "unit": "s", "range": (0, 20)}],
        "timings_s": {"generate": 1.23456789},
    }
    document = Measurements(**fields)
    path = tmp_path / "folder" / "measurements.json"
    document.write_json(path)
    assert Measurements.read_json(path) == document
    content = json.loads(path.read_text())
    jsonschema_rs.validator_for(json_schema()).validate(content)
    assert content["schema_version"] == "1.2"
    assert content["volumes_ml"].keys() == {"4", "6", "8", "10"}
    assert content["laterality"]["side"] == "left"
    assert content["core"]["method"].startswith("rCBF < 30% of normal tissue")
    assert content["settings"]["minimum_ml"] == 3.0
    assert content["timings_s"] == {"generate": 1.2346}
    assert content["midplane"]["normal"] == [1, 0, 0]
    assert [p.name for p in path.parent.iterdir()] == ["measurements.json"]


def test_the_published_schema_is_the_models():
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), (
        "docs/measurements.schema.json is old: write perfusynth.perfusion.measurements.schema_text() to it"
    )


def test_blocks_that_a_family_does_not_have_are_absent():
    content = json.loads(Measurements(**FIELDS).as_json())
    assert not {"volumes_ml", "core", "hir", "laterality", "midplane", "intervals", "settings"} & content.keys()
    assert "licence" not in content["model"]
    jsonschema_rs.validator_for(json_schema()).validate(content)


def test_an_infinite_ratio_is_told_by_its_own_field():
    content = json.loads(Measurements(**measured(core_fraction=0.20, core_minimum_ml=1000.0)).as_json())
    assert content["core"]["ml"] == 0
    assert content["mismatch_ratio_infinite"] is True
    assert "mismatch_ratio" not in content


def test_without_hypoperfusion_there_is_no_ratio_and_no_hir():
    content = json.loads(Measurements(**measured(tmax_s=2.0)).as_json())
    assert content["mismatch_ratio_infinite"] is False
    assert "hir" not in content
    assert content["laterality"] == {"side": "none", "right_ml": 0, "left_ml": 0}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan")])
@pytest.mark.parametrize("field", ["brain_ml", "hir", "mismatch_ratio", "volumes_ml", "timings_s", "settings"])
def test_numbers_that_are_none_are_refused(field, value):
    content = {"6": value} if field in ("volumes_ml", "timings_s", "settings") else value
    with pytest.raises(ValidationError):
        Measurements(**(FIELDS | {field: content}))


def test_numpy_numbers_become_plain_rounded_floats():
    document = Measurements(**(FIELDS | {"brain_ml": np.float32(1234.5678), "hir": np.float64(0.12345)}))
    assert type(document.brain_ml) is type(document.hir) is float
    assert (document.brain_ml, document.hir) == (1234.57, 0.123)


def test_unknown_fields_are_refused():
    with pytest.raises(ValidationError, match="extra"):
        Measurements(**FIELDS, patient_name="x")


@pytest.mark.parametrize(
    "wrong",
    [
        {"notices": []},
        {"notices": [SYNTHETIC]},
        {"model": None},
        {"validated_on": None},
        {"created": "2025-01-01T00:00:00"},
        {"created": "2025-01-01T00:00:00+02:00"},
        {"mismatch_ratio": 2.0, "mismatch_ratio_infinite": True},
    ],
)
def test_a_synthetic_result_cannot_hide_what_it_is(wrong):
    with pytest.raises(ValidationError):
        Measurements(**(FIELDS | wrong))


def test_the_second_banner_goes_once_the_model_was_validated_on_patients():
    assert notices_for("synthetic", "digital phantoms") == [SYNTHETIC, NOT_VALID_FOR_PATIENTS]
    assert notices_for("synthetic", "300 patients of three hospitals") == [SYNTHETIC]
    for doubtful in ("Digital phantoms, version 0.2", "digital phantom", "", None):
        assert notices_for("synthetic", doubtful) == [SYNTHETIC, NOT_VALID_FOR_PATIENTS]


@pytest.mark.parametrize("origin", ["deconvolved", "vendor", "colour_picture"])
def test_measured_maps_are_for_research_only_and_not_called_synthetic(origin):
    notices = notices_for(origin)
    assert "research use only" in " ".join(notices).lower()
    assert "synthetic" not in " ".join(notices).lower()
    assert ("From colours, not quantitative" in notices) == (origin == "colour_picture")
    line = short_notice(notices)
    assert "research use only" in line.lower()
    assert len(line) <= 79
    assert line.isascii()
    fields = FIELDS | {"origin": origin, "model": None, "validated_on": None, "deconvolution": DECONVOLUTION}
    assert Measurements(**(fields | {"notices": notices})).origin == origin
    with pytest.raises(ValidationError, match="notices"):
        Measurements(**(fields | {"notices": []}))


def test_the_banner_fits_a_nifti_header():
    for validated_on in ("digital phantoms", "300 patients"):
        line = short_notice(notices_for("synthetic", validated_on))
        assert line.startswith(SYNTHETIC)
        assert len(line) <= 79
        assert line.isascii()
        assert ("not valid for this patient" in line) == (validated_on == "digital phantoms")


def test_intervals_are_given_or_withheld_with_a_reason():
    assert Intervals(level=0.9, volumes_ml={"6": (80, 140.123)}).volumes_ml == {"6": (80, 140.12)}
    without_level = {"volumes_ml": {"6": (1, 2)}}
    core_alone = {"withheld": "x", "core_ml": (1, 2)}
    for wrong in ({}, {"withheld": "x", "level": 0.9, "volumes_ml": {}}, without_level, core_alone):
        with pytest.raises(ValidationError, match="either"):
            Intervals(**wrong)


def test_a_domain_is_measured_or_said_not_to_be():
    assert Domain(verdict="not measured", text="no reference").score is None
    known = {"score": 1.0, "limit": 1.4, "percentile": 50.0}
    assert Domain(verdict="usual", text="like them", **known).percentile == 50
    for wrong in ({"verdict": "usual"}, {"verdict": "not measured", **known}, {"verdict": "usual", "score": 1.0}):
        with pytest.raises(ValidationError, match="score, limit and percentile"):
            Domain(text="x", **wrong)


def test_how_maps_were_deconvolved_survives_file_and_schema(tmp_path):
    fields = measured() | {
        "origin": "deconvolved",
        "notices": notices_for("deconvolved"),
        "model": None,
        "validated_on": None,
        "deconvolution": DECONVOLUTION,
    }
    document = Measurements(**fields)
    document.write_json(tmp_path / "measurements.json")
    assert Measurements.read_json(tmp_path / "measurements.json") == document
    content = json.loads(document.as_json())
    jsonschema_rs.validator_for(json_schema()).validate(content)
    block = content["deconvolution"]
    assert block["threshold"] == 0.1
    assert "oscillation" not in block
    assert block["aif"]["positions_ras_mm"] == [[-32.1, 12.0, 5.0], [-33.0, 12.0, 5.0]]
    with pytest.raises(ValidationError, match="deconvolution"):
        Measurements(**(fields | {"deconvolution": None}))
    assert Measurements(**(fields | {"deconvolution": {}})).deconvolution == Deconvolution()


@pytest.mark.parametrize("wrong", [{"voxels": []}, {"positions_ras_mm": [(0, 0, 0)]}, {"selection": "guessed"}])
def test_a_curve_without_its_place_is_refused(wrong):
    with pytest.raises(ValidationError):
        InputCurve(**(DECONVOLUTION["aif"] | wrong))


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_documents_of_earlier_versions_are_still_read(version):
    content = json.loads(Measurements(**measured()).as_json()) | {"schema_version": version}
    assert Measurements.model_validate(content).schema_version == version


def test_a_maps_own_header_says_how_it_was_made():
    full = deconvolution_description(Deconvolution(**DECONVOLUTION))
    assert full == "Deconvolved, research use only; csvd 0.1; kH 0.73; 1.05 g/mL; smoothed 2.8 mm"
    osvd = Deconvolution(method="osvd", threshold=0.1, oscillation=0.035)
    assert deconvolution_description(osvd) == "Deconvolved, research use only; osvd 0.035"
    assert deconvolution_description(Deconvolution()) == "Deconvolved, research use only"
    long = Deconvolution(**(DECONVOLUTION | {"density_g_per_ml": 1.0467, "smoothing_mm": (2.875, 2.8)}))
    for line in (full, deconvolution_description(long)):
        assert len(line) <= 79
        assert line.isascii()
    assert deconvolution_description(long).endswith("1.0467 g/mL")


def test_maps_without_cbf_or_midplane_leave_their_blocks_out():
    affine = np.diag([2.0, 2, 2, 1])
    tmax = np.full((30, 30, 30), 2.0)
    tmax[3:12, 5:25, 5:25] = 9.0
    regions = measure_regions(Volume(tmax, affine), None, np.ones(tmax.shape, bool), None)
    content = json.loads(Measurements(**(region_blocks(regions, None) | FIELDS)).as_json())
    assert content["volumes_ml"]["6"] == pytest.approx(9 * 20 * 20 * 0.008, rel=0.06)  # corners are rounded off
    absent = {"core", "mismatch_ml", "mismatch_ratio", "laterality", "midplane"}
    assert not absent & content.keys()
    assert content["mismatch_ratio_infinite"] is False
    with pytest.raises(ValueError, match="midplane"):
        measure_regions(Volume(tmax, affine), None, tmax > 0, None, RegionSettings(core_reference="contralateral"))
