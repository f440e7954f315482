"""`perfusynth maps` as a user runs it: a result or one line with the reason, and never half a result."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from perfusynth.cli.main import main
from perfusynth.ctp_maps.series_maps import maps_of_series
from perfusynth.ctp_maps.settings import MapSettings
from perfusynth.perfusion.measurements import Measurements
from perfusynth.volumes.nifti import read_nifti
from tests.ctp_maps.study import SIDE, dice, study, with_frames, write_dicom_study, write_nifti_study

#: What makes a run quick where neither motion nor the report is looked at.
QUICK = ("--no-motion", "--no-report")


def perfusynth(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "perfusynth.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=120)


@pytest.fixture
def run(monkeypatch, capsys) -> Callable[..., tuple[int, str]]:
    """Runs the command in this process: exit code, and what it wrote to stderr."""

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["perfusynth", "maps", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return call


@pytest.fixture(scope="module")
def nifti(tmp_path_factory) -> Path:
    return write_nifti_study(tmp_path_factory.mktemp("study") / "ctp.nii.gz", study())


@pytest.fixture(scope="module")
def result(nifti, tmp_path_factory) -> tuple[subprocess.CompletedProcess, Path]:
    out = tmp_path_factory.mktemp("result") / "out"
    return perfusynth("maps", nifti, "-o", out), out


def measured(folder: Path) -> Measurements:
    return Measurements.read_json(folder / "measurements.json")


def tmax(folder: Path) -> np.ndarray:
    return read_nifti(folder / "tmax.nii.gz").array


def in_tissue() -> str:
    """A place far from vessels, as ``--aif`` takes it."""
    found = maps_of_series(study(), MapSettings(motion=None))
    deep = ndimage.distance_transform_edt(found.tissue.tissue, sampling=study().spacing)
    voxel = np.unravel_index(deep.argmax(), deep.shape)
    return ",".join(f"{x:.1f}" for x in study().affine[:3, :3] @ voxel + study().affine[:3, 3])


def test_a_study_becomes_a_result(result):
    ended, out = result
    assert ended.returncode == 0, ended.stderr
    assert "research use only" in ended.stdout
    assert f"side: {SIDE}" in ended.stdout
    document = measured(out)
    assert f"Tmax > 6 s: {document.volumes_ml['6']:.1f} mL" in ended.stdout
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "research use only" in page
    assert str(out.parent) not in page + (out / "measurements.json").read_text()


def test_perfusynth_measure_gives_the_same_numbers(result):
    _, out = result
    arguments = ("measure", "--tmax", out / "tmax.nii.gz", "--cbf", out / "cbf.nii.gz", "--json")
    expected = json.loads((out / "measurements.json").read_text())
    for brain in ((), ("--brain", out / "brain.nii.gz")):
        again = json.loads(perfusynth(*arguments, *brain).stdout)
        for field in ("volumes_ml", "core", "mismatch_ml", "hir", "laterality", "brain_ml", "deconvolution"):
            assert again[field] == expected[field], field


def test_the_artery_can_be_given(result, nifti, run, tmp_path):
    _, automatic = result
    chosen = measured(automatic).deconvolution.aif
    x, y, z = np.mean(chosen.positions_ras_mm, axis=0)
    assert run(nifti, "-o", tmp_path / "out", f"--aif={x:.2f},{y:.2f},{z:.2f}", *QUICK)[0] == 0
    manual = measured(tmp_path / "out").deconvolution.aif
    assert manual.selection == "manual"
    assert set(map(tuple, manual.voxels)) & set(map(tuple, chosen.voxels))
    assert dice(tmax(tmp_path / "out") > 6, tmax(automatic) > 6) > 0.9


@pytest.mark.parametrize("method", ["csvd", "ssvd"])
def test_the_method_can_be_chosen(method, nifti, run, tmp_path):
    assert run(nifti, "-o", tmp_path / "out", "--method", method, "--threshold", "0.2", *QUICK)[0] == 0
    used = measured(tmp_path / "out").deconvolution
    assert (used.method, used.threshold, used.oscillation) == (method, 0.2, None)
    header = nib.load(tmp_path / "out/tmax.nii.gz").header
    assert f"{method} 0.2" in bytes(header["descrip"]).decode()


def test_times_that_the_file_lacks_can_be_given(result, run, tmp_path):
    source = write_nifti_study(tmp_path / "ctp.nii", study(), interval_s=0)
    code, said = run(source, "-o", tmp_path / "out", *QUICK)
    assert (code, "[no_frame_times]" in said, "--interval" in said) == (2, True, True)
    times = tmp_path / "times.txt"
    times.write_text("\n".join(f"{seconds:g}" for seconds in study().times_s))
    for number, given in enumerate((("--interval", "2"), ("--times", times))):
        out = tmp_path / f"out{number}"
        assert run(source, "-o", out, *given, *QUICK)[0] == 0
        assert measured(out).deconvolution.frame_interval_s == 2
        # The head lies still: what motion correction does to it is nothing.
        np.testing.assert_allclose(tmax(out), tmax(result[1]), atol=2e-3)


def test_uneven_times_are_told_and_interpolated(nifti, run, tmp_path):
    times = study().times_s.copy()
    times[10:] += 1.0
    (tmp_path / "times.txt").write_text(",".join(map(str, times)))
    assert run(nifti, "-o", tmp_path / "out", "--times", tmp_path / "times.txt", *QUICK)[0] == 0
    assert any("interpolated linearly" in note for note in measured(tmp_path / "out").input.notes)


def sources() -> dict[str, Callable[[Path], tuple]]:
    """Studies that cannot become maps, by the code of the refusal; each gives the command's arguments."""
    whole = study().array
    waiting = np.tile(whole[..., :5], 3)

    def nifti(array: np.ndarray, *options: object) -> Callable[[Path], tuple]:
        return lambda folder: (write_nifti_study(folder / "ctp.nii", with_frames(array)), *options)

    def ncct(folder: Path) -> tuple:
        return (write_dicom_study(folder / "ncct", with_frames(whole[..., :1])),)

    def listed(text: str) -> Callable[[Path], tuple]:
        def write(folder: Path) -> tuple:
            (folder / "times.txt").write_text(text)
            return (*nifti(whole)(folder), "--times", folder / "times.txt")

        return write

    uneven = " ".join(map(str, np.r_[study().times_s[:10], study().times_s[10:] + 5]))
    return {
        "too_few_frames": nifti(whole[..., :12]),
        "no_bolus": nifti(np.tile(waiting, 2)),
        "bolus_truncated": nifti(np.concatenate([waiting, whole[..., 5:11]], axis=3)),
        "no_baseline": nifti(whole[..., 8:]),
        "frames_too_far_apart": listed(uneven),
        "bad_times": listed("0 1 2 three"),
        "bad_times 2": listed("0 1 2"),
        "bad_times 3": nifti(whole, "--interval", "-1"),
        "not_4d": lambda folder: (volume(folder),),
        "not_a_perfusion_study": ncct,
        "aif_no_vessel": nifti(whole, f"--aif={in_tissue()}"),
        "aif_outside": nifti(whole, "--aif=0,0,500"),
        "aif_outside 2": nifti(whole, "--aif=nan,0,0"),
        "bad_option": nifti(whole, "--aif=here"),
        "bad_option 2": nifti(whole, "--method", "tikhonov"),
        "bad_option 3": nifti(whole, "--threshold", "2"),
        "bad_option 4": nifti(whole, "--smoothing", "-1"),
        "bad_option 5": lambda folder: (*listed("0 1 2")(folder), "--interval", "2"),
    }


def volume(folder: Path) -> Path:
    nib.save(nib.Nifti1Image(study().array[..., 0], study().affine), folder / "ncct.nii.gz")
    return folder / "ncct.nii.gz"


def test_what_cannot_become_maps_ends_in_one_line_and_leaves_nothing(run, tmp_path):
    wrong = []
    for name, write in sources().items():
        folder = tmp_path / name
        folder.mkdir()
        arguments = write(folder)
        before = sorted(tmp_path.rglob("*"))
        code, said = run(*arguments, "-o", folder / "out", *QUICK)
        last = said.strip().splitlines()[-1]
        good = code == 2 and f"perfusynth: [{name.split()[0]}]" in last and sorted(tmp_path.rglob("*")) == before
        if not good or "Traceback" in said or str(tmp_path) in last or "Secret" in said:
            wrong.append((name, code, last))
    assert not wrong


def test_a_result_is_never_overwritten(nifti, run, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    code, said = run(nifti, "-o", tmp_path, *QUICK)
    assert (code, "[exists]" in said) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_interruption_leaves_nothing(nifti, run, tmp_path, monkeypatch):
    steps = itertools.count()

    def interrupted(*arguments: object, **options: object) -> None:
        if next(steps) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("perfusynth.ctp_maps.pipeline.write_nifti", interrupted)
    assert run(nifti, "-o", tmp_path / "out", *QUICK)[0] == 130
    assert not list(tmp_path.iterdir())
