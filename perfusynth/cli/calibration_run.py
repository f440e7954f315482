"""What `perfusynth calibrate` does: rows of patients, both tables into a bundle, figures of how they behave."""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth import atomic
from perfusynth.errors import InputError
from perfusynth.evaluation.domain.behaviour import behaviour_figures, draw_behaviour, scores_of
from perfusynth.evaluation.domain.fit import DomainSettings, fit_reference
from perfusynth.evaluation.intervals.calibration import CalibrationSettings
from perfusynth.evaluation.intervals.coverage import coverage_figures
from perfusynth.evaluation.intervals.picture import draw_coverage
from perfusynth.evaluation.intervals.rows import PatientRow, view_of_row
from perfusynth.evaluation.intervals.scanned import ScannedRow
from perfusynth.evaluation.intervals.table import table_of_rows
from perfusynth.evaluation.patient_rows import rows_of_patients
from perfusynth.generators.bundles import Bundle, read_bundle
from perfusynth.generators.domain import DOMAIN_FILE, DomainReference
from perfusynth.generators.head_view import HeadView
from perfusynth.generators.seen_patients import refuse_seen
from perfusynth.perfusion.volume_intervals import INTERVALS_FILE, IntervalTable
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.progress import OnProgress
from perfusynth.synthesis.result_folder import result_folder

#: Least patients where fewer were asked for by name: a covariance of two, a quantile of two.
AT_LEAST = 2
#: The scanner that no model is trained on.
EXTERNAL = next(name for name, scanner in SCANNERS.items() if not scanner.training)

#: Added to the name of patients who are seen a second time, as their scanner wrote them.
SCANNED = "_scanned"
#: Patients who are in neither table.
TESTED = ("test", "external", "test" + SCANNED)

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Patients:
    """Seeds by what they are for; None: not asked for.

    The first ``scanned`` patients to fit, to calibrate and to test on are seen a second time, as their scanner wrote
    them (`perfusynth.evaluation.intervals.scanned`).
    """

    calibrate: range
    fit: range | None = None
    test: range | None = None
    external: range | None = None
    scanned: int = 0

    def named(self) -> dict[str, range]:
        """Those that were asked for; patients seen a second time under a name of their own.

        Raises
        ------
        InputError
            Code ``shared_patients``: one patient would serve two ends.
        """
        found = {name: seeds for name, seeds in vars(self).items() if isinstance(seeds, range)}
        for name, seeds in found.items():
            for other, others in found.items():
                if name < other and seeds.start < others.stop and others.start < seeds.stop:
                    raise InputError(
                        f"Patients to {name} and to {other} on are shared.",
                        expected="ranges that do not overlap",
                        got=f"{_words(seeds)} and {_words(others)}",
                        hint="Choose other seeds.",
                        code="shared_patients",
                    )
        twice = {name: found[name] for name in ("fit", "calibrate", "test") if name in found and self.scanned}
        return found | {name + SCANNED: seeds[: self.scanned] for name, seeds in twice.items()}


@dataclass(frozen=True)
class Calibrated:
    """A bundle with its tables; no reference where no training patients were named."""

    bundle: Path
    table: IntervalTable
    reference: DomainReference | None


class CalibrationRun:
    """One calibration of one bundle.

    Parameters
    ----------
    model
        Bundle folder.
    rows
        Folder of the patients' rows.
    drawn, device, processes
        As `PatientRow` and `rows_of_patients` take them.
    fewer
        Whether few patients are accepted.
    """

    def __init__(
        self, model: Path, rows: Path, *, drawn: Path | None, device: str, processes: int, fewer: bool
    ) -> None:
        self.bundle: Bundle = read_bundle(model)
        self.bundle.verify()
        self._rows, self._drawn, self._device, self._processes = rows, drawn, device, processes
        self._calibration = CalibrationSettings(patients_minimum=AT_LEAST) if fewer else CalibrationSettings()
        self._domain = DomainSettings(AT_LEAST, AT_LEAST) if fewer else DomainSettings()
        self.told: list[str] = []

    def patients(self, wanted: Patients, on_progress: OnProgress) -> dict[str, tuple[str, Rows]]:
        """Seeds in words and rows of all patients, by what they are for; what a former run made is taken over.

        Raises
        ------
        InputError
            Codes ``shared_patients``, ``seen_patients``: the model was trained or tuned on patients that are to
            calibrate or test it.
        """
        seeds = wanted.named()
        for name in seeds.keys() - {"fit", "fit" + SCANNED}:
            refuse_seen(self.bundle, seeds[name])
        total, done = sum(len(part) for part in seeds.values()), 0
        found = {}
        for name, part in seeds.items():
            scanner = EXTERNAL if name == "external" else None
            drawn = PatientRow(self.bundle.path, self._device, self._drawn, scanner=scanner, signs=name in TESTED)
            row = ScannedRow(drawn) if name.endswith(SCANNED) else drawn
            path = self._rows / f"{name}-{self.bundle.spec.weights_sha256[:12]}.jsonl"
            before = done

            def tell(count: int, before: int = before, name: str = name) -> None:
                on_progress(f"{name}: patient {count}", (before + count) / total)

            found[name] = (_words(part), rows_of_patients(path, part, row, self._processes, tell))
            done += len(part)
        return found

    def write(self, patients: dict[str, tuple[str, Rows]], out: Path | None) -> Calibrated:
        """Both tables, into the bundle or, with ``out``, into a copy of it.

        Raises
        ------
        InputError
            Code ``few_patients``; of ``out`` as `result_folder`.
        """
        weights = self.bundle.spec.weights_sha256
        seeds, rows = patients["calibrate"]
        table = table_of_rows(rows, seeds, weights, self._calibration)
        reference = None
        if "fit" in patients:
            fit_seeds, _ = patients["fit"]
            reference = fit_reference(
                _views(patients, "fit"),
                _views(patients, "calibrate"),
                fit_seeds=fit_seeds,
                held_out_seeds=seeds,
                weights_sha256=weights,
                settings=self._domain,
            )
        if out is None:
            _put(self.bundle.path, table, reference)
            return Calibrated(self.bundle.path, table, reference)
        with result_folder(out) as folder:
            shutil.copytree(self.bundle.path, folder, dirs_exist_ok=True)
            _put(folder, table, reference)
        return Calibrated(out, table, reference)

    def report(
        self, patients: dict[str, tuple[str, Rows]], calibrated: Calibrated, heads: list[Path], folder: Path
    ) -> None:
        """Figures of coverage and of the out-of-domain score, as JSON and pictures, on patients of neither table."""
        tested: dict[str, tuple[str, Rows]] = {name: patients[name] for name in TESTED if name in patients}
        if tested:
            coverage = {name: coverage_figures(rows, calibrated.table) for name, (_, rows) in tested.items()}
            about = {"model": self.bundle.name, "weights_sha256": self.bundle.spec.weights_sha256}
            seeds = {name: seeds for name, (seeds, _) in patients.items()}
            _write(folder / "intervals.json", {**about, "seeds": seeds, "coverage": coverage})
            for name, (_, rows) in tested.items():
                draw_coverage(folder / f"intervals-{name}.png", rows, calibrated.table, coverage[name])
                self.told += [
                    _line(name, key, found["all"]) for key, found in coverage[name].items() if found["all"]["n"]
                ]
        if calibrated.reference is not None:
            self._report_domain(patients, calibrated.bundle, calibrated.reference, heads, folder)

    def _report_domain(
        self,
        patients: dict[str, tuple[str, Rows]],
        bundle: Path,
        reference: DomainReference,
        heads: list[Path],
        folder: Path,
    ) -> None:
        views = {name: [view_of_row(row) for row in rows] for name, (_, rows) in patients.items()}
        blocks = {path.name: _domain_of(bundle, path, self._device) for path in heads}
        sets = behaviour_figures(reference, views)
        _write(
            folder / "domain.json", {"model": self.bundle.name, "limit": reference.limit, "sets": sets, "heads": blocks}
        )
        draw_behaviour(
            folder / "domain.png",
            reference,
            {name: scores_of(reference, found) for name, found in views.items()},
            {name: np.array([[block["network"], block["image"]]]) for name, block in blocks.items()},
        )
        self.told += [f"{name}: {found['unusual']:.1%} unusual" for name, found in sets.items()]
        self.told += [f"{name}: {block['text']}" for name, block in blocks.items()]


def _views(patients: dict[str, tuple[str, Rows]], name: str) -> list[HeadView]:
    """How the patients of this name looked to the model, both as drawn and as scanned."""
    both = (name, name + SCANNED)
    return [view_of_row(row) for key in both if key in patients for row in patients[key][1]]


def _domain_of(bundle: Path, head: Path, device: str) -> dict[str, Any]:
    """The block ``domain`` of a head CT, through the whole pipeline."""
    from perfusynth.generators.loading import load_generator
    from perfusynth.synthesis.pipeline import Pipeline

    read = read_bundle(bundle)
    pipeline = Pipeline(read, load_generator(read, device=device))
    with tempfile.TemporaryDirectory() as folder:
        measured = pipeline.run({read.spec.inputs[0].name: head}, Path(folder))
    assert measured.domain is not None
    return measured.domain.model_dump(mode="json")


def _put(folder: Path, table: IntervalTable, reference: DomainReference | None) -> None:
    """Write both files; the reference of an earlier calibration does not stay beside another table."""
    atomic.write_bytes(folder / INTERVALS_FILE, (table.model_dump_json(indent=1) + "\n").encode())
    if reference is None:
        (folder / DOMAIN_FILE).unlink(missing_ok=True)
    else:
        atomic.write_bytes(folder / DOMAIN_FILE, (reference.model_dump_json() + "\n").encode())


def _write(path: Path, content: dict[str, Any]) -> None:
    atomic.write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())


def _line(name: str, key: str, whole: dict[str, Any]) -> str:
    return (
        f"{name}, {key}: {whole['coverage']:.1%} of {whole['n']} inside ({whole['low']:.1%} to {whole['high']:.1%}), "
        f"mean width {whole['width_ml']:.0f} mL"
    )


def _words(seeds: range) -> str:
    return f"{seeds.start}:{seeds.stop}"
