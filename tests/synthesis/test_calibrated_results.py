"""Intervals and out-of-domain score in a result: shown for a phantom, withheld with the reason elsewhere."""

import json
from dataclasses import asdict
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.domain import DOMAIN_FILE, Cloud, DomainReference
from perfusynth.generators.head_statistics import STATISTICS
from perfusynth.generators.loading import load_generator
from perfusynth.perfusion.measurements import Measurements
from perfusynth.perfusion.regions import RegionSettings
from perfusynth.perfusion.volume_intervals import (
    INTERVALS_FILE,
    NO_TABLE,
    NOT_A_PHANTOM,
    OTHER_WEIGHTS,
    UNUSUAL_INPUT,
    IntervalTable,
)
from perfusynth.shared_files import shared_folders
from perfusynth.synthesis.pipeline import Pipeline
from tests.generators.tiny import write_tiny_bundle

CASE = shared_folders("sample-data")[0] / "phantom-4000020"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


def table(weights: str) -> IntervalTable:
    group = {"above_ml": -1, "low": -2, "high": 3, "patients": 1000}
    return IntervalTable(
        level=0.9,
        groups={key: [group] for key in ("4", "6", "8", "10", "core")},
        patients=1000,
        seeds="9000000:9001000",
        phantom_version="1.0",
        phantom_hash="cd" * 32,
        calibrated_on="digital phantoms",
        weights_sha256=weights,
        regions=json.loads(json.dumps(asdict(RegionSettings()))),
    )


def reference(weights: str, features: int, limit: float) -> DomainReference:
    def cloud(n: int) -> Cloud:
        return Cloud(mean=[0.0] * n, precision=np.eye(n)[np.triu_indices(n)].tolist(), median=1.0)

    return DomainReference(
        features=cloud(features),
        image=cloud(len(STATISTICS)),
        statistics=dict.fromkeys(STATISTICS, (0.0, 1e6)),
        scores=[0.0, limit],
        limit=limit,
        patients=1000,
        held_out=1000,
        fit_seeds="",
        held_out_seeds="",
        phantom_version="1.0",
        phantom_hash="cd" * 32,
        weights_sha256=weights,
    )


def result(bundle: Path, ncct: Path, out: Path) -> Measurements:
    out.mkdir()
    read = read_bundle(bundle)
    return Pipeline(read, load_generator(read, device="cpu")).run({"ncct": ncct}, out)


@pytest.fixture
def calibrated(bundle):
    """Writes both tables into the bundle, for given weights and limit, and takes them out again."""

    def write(weights: str | None = None, limit: float = 1e9) -> Path:
        spec = read_bundle(bundle).spec
        channels = spec.network["unet"]["block_out_channels"][-1]
        (bundle / INTERVALS_FILE).write_text(table(weights or spec.weights_sha256).model_dump_json())
        content = reference(weights or spec.weights_sha256, channels, limit).model_dump_json()
        (bundle / DOMAIN_FILE).write_text(content)
        return bundle

    yield write
    for name in (INTERVALS_FILE, DOMAIN_FILE):
        (bundle / name).unlink(missing_ok=True)


def test_a_phantom_has_intervals_around_its_volumes(calibrated, tmp_path):
    measured = result(calibrated(), CASE / "ncct.nii.gz", tmp_path / "out")
    assert measured.domain.verdict == "usual"
    assert 0 < measured.domain.score < measured.domain.limit
    assert measured.intervals.withheld is None
    for key, ml in measured.volumes_ml.items():
        low, high = measured.intervals.volumes_ml[key]
        assert low == pytest.approx(max(np.sqrt(ml) - 2, 0) ** 2, abs=0.1)
        assert high == pytest.approx((np.sqrt(ml) + 3) ** 2, abs=0.1)
    assert (measured.intervals.core_ml is None) == (measured.core is None)
    assert Measurements.read_json(tmp_path / "out" / "measurements.json") == measured


def test_any_other_head_has_none(calibrated, tmp_path):
    """One voxel of air changed: the head is the same and is no phantom's any more."""
    image = nib.load(CASE / "ncct.nii.gz")
    values = np.asarray(image.dataobj).astype(np.int16)
    values[0, 0, 0] += 1
    nib.save(nib.Nifti1Image(values, image.affine), tmp_path / "ncct.nii.gz")
    measured = result(calibrated(), tmp_path / "ncct.nii.gz", tmp_path / "out")
    assert not measured.input.is_phantom
    assert measured.intervals.withheld == NOT_A_PHANTOM
    assert measured.domain.verdict == "usual", "the score is told of every head"


def test_an_unusual_phantom_has_none(calibrated, tmp_path):
    measured = result(calibrated(limit=1e-6), CASE / "ncct.nii.gz", tmp_path / "out")
    assert measured.domain.verdict == "unusual"
    assert measured.domain.percentile == 100
    assert measured.intervals.withheld == UNUSUAL_INPUT


def test_tables_of_other_weights_are_not_used(calibrated, tmp_path):
    measured = result(calibrated(weights="ef" * 32), CASE / "ncct.nii.gz", tmp_path / "out")
    assert measured.domain.verdict == "not measured"
    assert "other weights" in measured.domain.text
    assert measured.intervals.withheld == OTHER_WEIGHTS


def test_a_bundle_without_tables_works(bundle, tmp_path):
    measured = result(bundle, CASE / "ncct.nii.gz", tmp_path / "out")
    assert measured.intervals.withheld == NO_TABLE
    assert measured.domain.verdict == "not measured"
