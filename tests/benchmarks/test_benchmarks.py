"""The benchmarks work: a quick run gives every row, and what they are made of is what it says. No time is judged."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.benchmarks.__main__ import ROWS
from tests.benchmarks.figure import Figure, table
from tests.benchmarks.info_latency import with_kept_back
from tests.benchmarks.maps import maps
from tests.benchmarks.scan import ROOT, write_scan
from tests.benchmarks.timing import percentile


def test_a_quick_run_gives_every_row(tmp_path):
    out = tmp_path / "figures.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--json", str(out)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert run.returncode == 0, run.stderr[-3000:]
    content = json.loads(out.read_text())
    assert {figure["row"] for figure in content["figures"]} == set(ROWS)
    for figure in content["figures"]:
        assert figure["note"] if figure["value"] is None else figure["value"] > 0, figure
    assert content["machine"]["cores"] >= 1
    assert all(f"| {row}" in run.stdout for row in ROWS)


def test_a_figure_carries_its_ratio():
    figure = Figure("row", "what", 0.5, "s", 3, "stock", 2.0)
    assert figure.ratio == 0.25
    assert "| 0.25" in table([figure])
    assert Figure("row", "what", None, "s", 0).ratio is None


def test_a_slow_answer_counts_for_the_requests_that_it_kept_back():
    assert with_kept_back(0.01) == [0.01]
    assert with_kept_back(0.05) == pytest.approx([0.05, 0.03, 0.01])


def test_percentiles():
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile(list(range(1, 101)), 0.95) == 95
    assert percentile([7.0], 0.95) == 7.0


def test_the_scan_has_the_shape_and_the_head(tmp_path):
    from perfusynth.shared_files import shared_folders
    from perfusynth.volumes.nifti import read_nifti

    volume = read_nifti(write_scan(tmp_path / "x.nii.gz", (128, 128, 40)))
    assert volume.shape == (128, 128, 40)
    (sample,) = shared_folders("sample-data")[0].glob("phantom-*/ncct.nii.gz")
    source = read_nifti(sample)
    extent = source.spacing * source.shape
    assert volume.spacing == pytest.approx(extent / volume.shape, rel=1e-3)
    assert volume.array.max() > 800


def test_the_maps_are_smooth_brains():
    made = maps((64, 64, 20))
    for array in made.values():
        assert array.dtype == np.float32
        assert 0.08 < np.count_nonzero(array) / array.size < 0.15
        assert np.isfinite(array).all()
