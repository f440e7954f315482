"""Writes an evaluation: ``report.html``, ``report.json``, ``patients.csv`` and pictures, out of rows."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from perfusynth import __version__, atomic
from perfusynth.evaluation.intervals.coverage import coverage_figures
from perfusynth.evaluation.model_figures.features import EXTRACTOR
from perfusynth.evaluation.model_figures.names import CEILING, INCIDENCE
from perfusynth.evaluation.model_figures.patient_figures import made_region
from perfusynth.evaluation.model_figures.patient_table import PatientTable, Row
from perfusynth.evaluation.model_figures.plan import Plan, methods_of
from perfusynth.evaluation.model_figures.report import charts, patients_shown, tables
from perfusynth.evaluation.model_figures.report.page import Section, render_page
from perfusynth.evaluation.model_figures.report.patient_picture import draw_patient, heading_of
from perfusynth.evaluation.model_figures.report.verdict import cards, verdicts
from perfusynth.evaluation.model_figures.summary import summary_of
from perfusynth.evaluation.patient_rows import phantom_identity
from perfusynth.perfusion.notices import notices_for
from perfusynth.perfusion.volume_intervals import read_intervals
from perfusynth.report.page import png_bytes

#: Folder of the pictures, beside the report.
PICTURES = "pictures"
HOW_TO_READ = (
    "All methods are measured on the same patients, against maps as a perfusion study measures them, regions cleaned "
    "alike. Dice and errors in the deficit are means over patients with a deficit. Brackets are 95 % intervals over "
    "patients (percentile bootstrap).",
    "ICC is that of absolute agreement, single measurement. Limits of agreement are bias ± 1.96 SD. A side counts as "
    "right when it is the drawn one; not naming any counts as wrong.",
)
ABOUT_CEILING = (
    "The information ceiling U is how well any method could mark the region from an NCCT of these patients; U and its "
    "prior (the incidence map on the darker side) are measured on the ceiling's own lattice, with exact anatomy and "
    "noise-free regions. Skill F = (Dice - prior) / (U - prior), of means over the same patients."
)
ABOUT_RULES = (
    "Untrained: normal values everywhere; each side against the other (the darker, the longer Tmax, by ranks in "
    "training patients); the incidence map on the darker side; signs only (dense artery, else dark tissue beyond 95 % "
    "specificity: that site's incidence map, else nothing). They know the template, laid over the head by its shape."
)
ABOUT_IMAGES = (
    "Image metrics as papers on synthesis give them say little about a deficit: over the whole image most voxels are "
    f"background that every method gets right. FID here is a distance between features of a {EXTRACTOR}; it is "
    "comparable with no other extractor's FID."
)


def write_report(
    out: Path,
    plan: Plan,
    rows: Sequence[Row],
    whom: str,
    on_progress: Callable[[str, float], None],
    more: Sequence[Section] = (),
) -> dict[str, Any]:
    """Write everything into ``out``; returns what ``report.json`` holds.

    Parameters
    ----------
    rows
        Of all methods, the ceiling's among them where there is one.
    whom
        Which patients, in words.
    more
        Sections of the page that others bring.
    """
    on_progress("figures", 0.0)
    summary = summary_of(rows)
    table = PatientTable(rows)
    bundles = {bundle.name: bundle for bundle in plan.bundles()}
    default = summary["clinical_default"]["model"] if summary["clinical_default"] else next(iter(bundles))
    validated = [bundle.spec.validated_on for bundle in bundles.values()]
    notices = max((notices_for("synthetic", text) for text in validated), key=len)
    about: dict[str, Any] = {
        "models": {
            name: {"version": b.version, "weights_sha256": b.spec.weights_sha256} for name, b in bundles.items()
        },
        "patients_are": whom,
        "phantom": phantom_identity(),
        "software_version": __version__,
    }
    coverage = _coverage(bundles, table)
    report = {"notices": notices, **about, **summary, "intervals": coverage}
    atomic.write_bytes(out / "report.json", (json.dumps(report, indent=1, default=float) + "\n").encode())
    atomic.write_bytes(out / "patients.csv", _csv(rows).encode())
    pictures = _charts(summary, table, default)
    for name, picture in pictures.items():
        atomic.write_bytes(out / PICTURES / f"{name}.png", png_bytes(picture))
    worst = patients_shown.worst(table, default)
    typical = patients_shown.typical(table, default)
    shown = _patients(out, plan, default, [*worst, *typical], notices, on_progress)
    page = render_page(
        title=f"Evaluation of {', '.join(bundles)}",
        signature=f"{summary['patients']} patients ({whom}), {summary['patients_with_deficit']} with a deficit, "
        f"{summary['patients_with_sign']} of these with a sign on the NCCT. Numbers here: {default}.",
        notices=notices,
        cards=cards(summary, default),
        verdicts=verdicts(summary, default),
        warnings=list(summary["leak_warnings"].values()),
        sections=[
            *_sections(summary, default, pictures, list(bundles)),
            *(_interval_section(name, found) for name, found in coverage.items()),
            *more,
            _of_patients("The ten worst: largest error of the volume", worst, shown),
            _of_patients("Typical: in the middle of those with a sign, without one, without a deficit", typical, shown),
            Section("Image metrics, as context", [ABOUT_IMAGES], [tables.of_methods(summary, tables.CONTEXT, "Means")]),
        ],
        provenance={
            "Software": f"perfusynth {__version__}",
            "Phantom": f"{about['phantom']['phantom_version']}, parameters {about['phantom']['parameter_hash'][:12]}",
            **{f"Weights of {name}": b.spec.weights_sha256 for name, b in bundles.items()},
            "Patients": whom,
        },
    )
    atomic.write_bytes(out / "report.html", page.encode())
    on_progress("report", 1.0)
    return report


def _sections(
    summary: Mapping[str, Any], default: str, pictures: Mapping[str, Image.Image], models: Sequence[str]
) -> list[Section]:
    chosen = summary["clinical_default"]
    reason = [f"{chosen['model']}. {chosen['why']}"] if chosen else ["No model has volumes."]
    about = [*HOW_TO_READ, *([ABOUT_CEILING] if CEILING in summary["methods"] else [])]
    about += [ABOUT_RULES] if INCIDENCE in summary["methods"] else []
    sections = [
        Section("Clinical default", reason),
        Section("Methods on the same patients", about, [tables.of_methods(summary, tables.HEADLINE, "All methods")],
                [("Mean Dice of Tmax > 6 s of every method", pictures["dice_by_method"])]),
        Section("Volumes", (), [tables.of_mismatch(summary, default)],
                [("Made against true volumes; Bland and Altman's plot", pictures["volumes"])]),
        Section("Where it is better, where worse", (), [tables.of_strata(summary, name) for name in models],
                [("Dice by group of patients", pictures["strata"])]),
        Section("How far its side, and its probability, can be believed", (), (),
                [(name.replace("_", " "), pictures[name]) for name in ("reliability_of_side", "probability")
                 if name in pictures]),
        Section("Differences between methods, paired", ["Less is better for errors, more for Dice."],
                [tables.of_differences(summary, name) for name in models]),
    ]  # fmt: skip
    return sections


def _charts(summary: Mapping[str, Any], table: PatientTable, default: str) -> dict[str, Image.Image]:
    others = [n for n, f in summary["methods"].items() if f["kind"] == "model" and n != default]
    compared = [default, *others[:2], *(name for name in (INCIDENCE, CEILING) if name in summary["methods"])]
    found = {
        "dice_by_method": charts.dice_by_method(summary),
        "volumes": charts.volumes(table, default),
        "strata": charts.strata(summary, compared),
        "reliability_of_side": charts.reliability_of_side(table, default),
    }
    probability = charts.probability(summary, default)
    return found | ({"probability": probability} if probability is not None else {})


def _coverage(bundles: Mapping[str, Any], table: PatientTable) -> dict[str, Any]:
    """Coverage of the intervals of every model that has some, made for its very weights."""
    found = {}
    for name, bundle in bundles.items():
        intervals = read_intervals(bundle.path)
        if intervals is not None and intervals.weights_sha256 == bundle.spec.weights_sha256:
            found[name] = {"level": intervals.level, **coverage_figures(table.rows(name), intervals)}
    return found


def _interval_section(name: str, coverage: Mapping[str, Any]) -> Section:
    by_threshold = {key: found for key, found in coverage.items() if key != "level"}
    return Section("Calibrated intervals", (), [tables.of_coverage(name, coverage["level"], by_threshold)])


def _patients(
    out: Path,
    plan: Plan,
    method: str,
    rows: Sequence[Row],
    notices: Sequence[str],
    on_progress: Callable[[str, float], None],
) -> dict[str, Image.Image]:
    """Pictures by case; those that an earlier run has drawn of the same weights are read."""
    found: dict[str, Image.Image] = {}
    for number, row in enumerate(rows):
        on_progress("pictures of patients", number / len(rows))
        path = out / PICTURES / f"{method}_{row['identity'][:8]}_{row['case']}.png"
        if not path.exists():
            case = plan.case(row["case"])
            made = methods_of(plan)[method](case)
            picture = draw_patient(case, made, made_region(case, made), heading_of(row, method), notices)
            atomic.write_bytes(path, png_bytes(picture))
        with Image.open(path) as picture:
            found[row["case"]] = picture.convert("RGB")
    return found


def _of_patients(title: str, rows: Sequence[Row], shown: Mapping[str, Image.Image]) -> Section:
    text = "White: true region of Tmax > 6 s; green: made. The patient's left is on the right of each picture."
    return Section(title, [text], (), [(f"Patient {row['case']}", shown[row["case"]]) for row in rows], "patient")


def _csv(rows: Sequence[Row]) -> str:
    """One line a patient and method, lists left out."""
    names = list(dict.fromkeys(key for row in rows for key, value in row.items() if not isinstance(value, list)))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
