"""`TotalSegmentatorBrain`: the class ``brain`` of TotalSegmentator's open task ``total``, run as a program.

J. Wasserthal et al., Radiology: Artificial Intelligence 5 (2023) e230024, doi:10.1148/ryai.230024. The program and the
models of this task are under the Apache License 2.0; others of its tasks (``brain_structures``) need a licence.
It lives in an environment of its own, whose packages do not go together with ours, and is told nothing but the voxels.
"""

import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from perfusynth.brain_structures.program import Ended, run_program
from perfusynth.brain_structures.settings import BrainSettings
from perfusynth.brain_structures.weights import Weights, find_weights
from perfusynth.errors import InputError
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.volumes.brain import BrainMask
from perfusynth.volumes.builtin_brain import BrainLimits, no_brain
from perfusynth.volumes.nifti import read_nifti, write_nifti
from perfusynth.volumes.volume import Volume

#: Where `make totalsegmentator` puts the program.
MADE_PROGRAM: Final = Path(__file__).resolve().parents[2] / ".venv-totalsegmentator" / "bin" / "TotalSegmentator"
LICENCE: Final = "TotalSegmentator and its models of the task total: Apache License 2.0; cite doi:10.1148/ryai.230024"
#: Its own configuration: nothing is sent to its authors, nothing is asked.
CONFIGURATION: Final = {
    "totalseg_id": "perfusynth",
    "send_usage_stats": False,
    "prediction_counter": 0,
    "statistics_disclaimer_shown": True,
}
#: Variables of ours, of another environment's Python, and of whoever else uses nnU-Net, which would lead it astray.
_NOT_PASSED: Final = ("PYTHON", "VIRTUAL_ENV", "PERFUSYNTH_", "MONAI_", "TOTALSEG_", "nnUNet_")
#: A port where nothing listens: what would leave the machine is refused at once.
_NOWHERE: Final = "http://127.0.0.1:9"
#: Largest deviation of the mask's affine from the scan's, mm.
_GRID_TOLERANCE_MM: Final = 1e-3
#: Shares of the run, as timed on a head at 3 mm on two CPU cores: start-up, then two predictions, rough and fine.
_START, _PREDICTION = 0.15, 0.4
_STARTED: Final = re.compile(r"^Predicting\b")
_BAR: Final = re.compile(r"\b(\d+)/(\d+) \[")


class TotalSegmentatorBrain:
    """A `perfusynth.volumes.brain.BrainExtractor`; says before the first scan whether program and weights are there.

    Parameters
    ----------
    settings
        Where program and weights lie; default: the environment's.

    Raises
    ------
    InputError
        Codes ``no_totalsegmentator``, ``no_totalsegmentator_weights``, ``other_weights``.
    """

    def __init__(self, settings: BrainSettings | None = None):
        self._settings = settings or BrainSettings.of_environment()
        self._program = find_program(self._settings.totalsegmentator)
        self._weights()

    def extract(self, ncct: Volume, *, on_progress: OnProgress = ignore_progress) -> BrainMask:
        """Find the brain.

        Parameters
        ----------
        ncct
            HU on an even orthogonal grid of any axis order.
        on_progress
            Told the fraction several times a second; when it raises, the program is killed.

        Returns
        -------
        BrainMask
            On the same grid: what the program calls brain, which need not be the whole inside of the skull.

        Raises
        ------
        InputError
            Codes ``no_brain``: nothing, or no plausible volume, was found; ``totalsegmentator_failed`` and
            ``totalsegmentator_timeout``: the program's end; as of the constructor, if something was removed meanwhile.
        Cancelled
            From ``on_progress``.
        """
        started = time.monotonic()
        weights = self._weights()
        # Cleaned up even where a killed program's children still write into it.
        with tempfile.TemporaryDirectory(prefix="brain-", ignore_cleanup_errors=True) as folder:
            mask, report = self._run(ncct, weights, Path(folder), on_progress)
        limits = BrainLimits()
        millilitres = float(np.count_nonzero(mask)) * ncct.voxel_ml
        if not limits.smallest_ml <= millilitres <= limits.largest_ml:
            raise no_brain(f"{millilitres:.0f} mL by TotalSegmentator", limits)
        version, resolution = str(report.get("totalsegmentator_version", "unknown")), weights.resolution
        details = {
            "program": "TotalSegmentator",
            "version": version,
            "nnunetv2": str(report.get("nnunetv2_version", "unknown")),
            "torch": str(report.get("torch_version", "unknown")),
            "task": "total",
            "class": "brain",
            "resolution": resolution,
            "device": str(report.get("device", "unknown")),
            "weights_sha256": weights.sha256,
            "weights": weights.files,
            "licence": LICENCE,
            "seconds": round(time.monotonic() - started, 1),
        }
        method = f"TotalSegmentator {version}, task total, class brain, {resolution}, weights {weights.sha256[:12]}"
        return BrainMask(mask, method, details)

    def _weights(self) -> Weights:
        settings = self._settings
        return find_weights(
            settings.totalsegmentator_weights, settings.totalsegmentator_resolution, settings.totalsegmentator_sha256
        )

    def _run(
        self, ncct: Volume, weights: Weights, folder: Path, on_progress: OnProgress
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Mask and the program's report of its run."""
        (folder / "tmp").mkdir()
        scan, found, report = folder / "scan.nii", folder / "found", folder / "report.json"
        write_nifti(scan, Volume(ncct.array, ncct.affine))  # a new header: nothing of the scan's own goes along
        device = self._settings.totalsegmentator_device or "gpu"
        command = [str(self._program), "-i", str(scan), "-o", str(found), "--report", str(report)]
        command += ["--task", "total", "--roi_subset", "brain", "--device", device, "--nr_thr_saving", "1"]
        command += ["--fast"] if weights.resolution == "3mm" else []
        watch = _Watch(on_progress)
        try:
            ended = run_program(
                command,
                environment=self._environment(weights, folder),
                folder=folder,
                timeout_s=self._settings.totalsegmentator_timeout_s,
                on_line=watch.line,
                on_look=watch.look,
            )
        except OSError as error:
            raise _failed(f"a program that cannot be started ({error.strerror or type(error).__name__})") from None
        _check_end(ended, self._settings.totalsegmentator_timeout_s)
        return _mask_of(found / "brain.nii.gz", ncct), _report_of(report)

    def _environment(self, weights: Weights, folder: Path) -> dict[str, str]:
        """Its own home and temporary folder, and of all models only those that were looked at.

        The models are links in a folder of the run: the program removes old ones of its own from the folder that it is
        given, and takes any other of the same number.
        """
        home, models = folder / "home", folder / "models"
        home.mkdir()
        models.mkdir()
        (home / "config.json").write_text(json.dumps(CONFIGURATION), encoding="utf-8")
        for name in weights.data_sets:
            (models / name).symlink_to(weights.folder / name, target_is_directory=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED)}
        kept = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}
        return kept | {
            "HOME": str(home),
            "TMPDIR": str(folder / "tmp"),
            "MPLCONFIGDIR": str(home),
            "TOTALSEG_HOME_DIR": str(home),
            "TOTALSEG_WEIGHTS_PATH": str(models),
            "PYTHONUNBUFFERED": "1",
            "HTTP_PROXY": _NOWHERE,
            "HTTPS_PROXY": _NOWHERE,
        }


def find_program(named: Path | None) -> Path:
    """TotalSegmentator's program.

    Parameters
    ----------
    named
        Where it should be; None: where `make totalsegmentator` puts it, else on PATH.

    Raises
    ------
    InputError
        Code ``no_totalsegmentator``.
    """
    on_path = shutil.which("TotalSegmentator")
    candidates = [named.expanduser()] if named else [MADE_PROGRAM, *([Path(on_path)] if on_path else [])]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.absolute()
    raise InputError(
        "TotalSegmentator is not installed here.",
        expected="its program at PERFUSYNTH_TOTALSEGMENTATOR, in .venv-totalsegmentator, or on PATH",
        got="no program at that setting" if named else "none",
        hint="Run `make totalsegmentator` (6 GB; docs/brain.md), or choose the method builtin.",
        code="no_totalsegmentator",
    )


class _Watch:
    """What the program's lines say of how far it is."""

    def __init__(self, on_progress: OnProgress):
        self._on_progress = on_progress
        self._predictions = 0
        self._fraction = 0.0

    def line(self, line: str) -> None:
        share = 0.0
        if _STARTED.match(line):
            self._predictions += 1
        elif self._predictions and (bar := _BAR.search(line)):
            share = int(bar[1]) / max(1, int(bar[2]))
        if self._predictions:
            reached = _START + _PREDICTION * (min(2, self._predictions) - 1 + min(1.0, share))
            self._fraction = max(self._fraction, reached)

    def look(self) -> None:
        self._on_progress("brain", self._fraction)


def _check_end(ended: Ended, timeout_s: float) -> None:
    if ended.code is None:
        raise InputError(
            "TotalSegmentator took too long and was stopped.",
            expected=f"an end within {timeout_s:g} s",
            got="none",
            hint="Use a GPU or the resolution 3mm, or raise PERFUSYNTH_TOTALSEGMENTATOR_TIMEOUT_S.",
            code="totalsegmentator_timeout",
        )
    if ended.code < 0:
        raise _failed(f"signal {-ended.code}{' (out of memory?)' if ended.code == -9 else ''}")
    if ended.code > 0:
        raise _failed(f"exit code {ended.code}{': ' if ended.last_words else ''}{ended.last_words}")


def _mask_of(path: Path, ncct: Volume) -> np.ndarray:
    if not path.is_file():
        raise _failed("an end without a mask")
    try:
        found = read_nifti(path)
    except InputError as error:
        raise _failed(f"a mask that cannot be read ({error.code})") from None
    if found.shape != ncct.shape or not np.allclose(found.affine, ncct.affine, atol=_GRID_TOLERANCE_MM):
        raise _failed("a mask on another grid")
    return found.array > 0.5


def _report_of(path: Path) -> dict[str, Any]:
    """What the program says of itself."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        report = None
    if not isinstance(report, dict):
        raise _failed("an end without its report")
    return report


def _failed(got: str) -> InputError:
    return InputError(
        "TotalSegmentator did not find the brain: it failed.",
        expected="exit code 0, a mask on the scan's grid, and a report",
        got=got,
        hint="Check the installation with `perfusynth brain` on another scan (docs/brain.md); nothing else was used.",
        code="totalsegmentator_failed",
    )
