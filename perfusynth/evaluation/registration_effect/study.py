"""The same patients, network and steps by wrong and by corrected registrations; both measured on new patients.

Training runs as a user runs it, as a program (`perfusynth train`): no evaluation imports training.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfusynth import atomic
from perfusynth.errors import PerfusynthError
from perfusynth.evaluation.model_figures.evaluate import evaluate_seeds
from perfusynth.evaluation.model_figures.plan import plan_of
from perfusynth.evaluation.registration_effect.cases import correct, write_misregistered
from perfusynth.generators.bundles import read_bundle
from perfusynth.phantom.drawn import DrawnPatients
from perfusynth.progress import OnProgress
from perfusynth.shared_files import shared_folders

#: Names of the two models, in the order in which they are trained.
MODELS = ("misregistered", "corrected")
#: What is trained: a plain UNet that sees the whole head at once, the template that learns deficits soonest.
TEMPLATE = "unet_regression_head"
#: Figures that are shown: name in a report's ``methods``, label.
FIGURES = (
    ("errors", "mae_tmax_brain", "mean absolute error of Tmax in the brain, s"),
    ("errors", "mae_cbf_brain", "mean absolute error of CBF in the brain, mL/100 g/min"),
    ("errors", "mae_tmax_deficit", "the same of Tmax in the deficit, s"),
    ("errors", "mae_cbf_deficit", "the same of CBF in the deficit, mL/100 g/min"),
    ("overlap", "dice_6", "Dice of Tmax > 6 s"),
)


class TrainingFailedError(PerfusynthError):
    """`perfusynth train` ended with an error."""


@dataclass(frozen=True)
class Study:
    """Which patients, and how long training lasts.

    Parameters
    ----------
    train, tune, test
        Seeds of digital patients.
    steps, learning_rate
        Of the one phase; each step sees `heads_per_step` heads.
    """

    train: range
    tune: range
    test: range
    steps: int = 800
    heads_per_step: int = 4
    learning_rate: float = 1e-3


def run_study(study: Study, out: Path, drawn: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Run the study; what is finished in ``out`` is not done again.

    Returns
    -------
    The evaluation's report.

    Raises
    ------
    TrainingFailedError
        With the last line that the training wrote.
    """
    cases, patients = out / "cases", DrawnPatients(drawn)
    seeds = [*study.train, *study.tune]
    bundles = [out / "models" / name for name in MODELS]
    if not bundles[0].exists():
        for number, seed in enumerate(seeds):
            on_progress("write cases", 0.1 * number / len(seeds))
            write_misregistered(cases / str(seed), seed, patients)
    for number, bundle in enumerate(bundles):
        on_progress(f"train {bundle.name}", 0.1 + 0.35 * number)
        if bundle.name == MODELS[1]:
            for seed in seeds:
                correct(cases / str(seed), seed)
        if not bundle.exists():
            _train(study, cases, out / "runs" / bundle.name, bundle)
    plan = plan_of([read_bundle(bundle) for bundle in bundles], baselines=False, drawn=drawn, device="cpu")
    return evaluate_seeds(
        plan,
        study.test,
        out / "evaluation",
        on_progress=lambda stage, fraction: on_progress(stage, 0.8 + 0.2 * fraction),
    )


def table(report: dict[str, Any]) -> str:
    """Both models side by side, as a table in Markdown."""
    lines = [
        "| figure (mean over patients, 95 % interval) | misregistered | corrected | corrected - misregistered |",
        "|---|---|---|---|",
    ]
    methods, differences = report["methods"], report["differences"][MODELS[1]][MODELS[0]]
    for group, name, label in FIGURES:
        cells = [_told(methods[model][group][name]) for model in MODELS]
        lines.append(f"| {label} | {cells[0]} | {cells[1]} | {_told(differences[name])} |")
    return "\n".join(lines) + "\n"


def _told(estimate: dict[str, Any]) -> str:
    value = "-" if estimate["value"] is None else f"{estimate['value']:.3g}"
    return value if estimate["low"] is None else f"{value} ({estimate['low']:.3g} to {estimate['high']:.3g})"


def _train(study: Study, cases: Path, run: Path, bundle: Path) -> None:
    split = {
        "kind": "cases",
        "names": {
            part: [str(seed) for seed in seeds] for part, seeds in (("train", study.train), ("tune", study.tune))
        },
    }
    atomic.write_bytes(run.parent / "split.json", json.dumps(split).encode())
    phase = {"steps": study.steps, "heads_per_step": study.heads_per_step, "learning_rate": study.learning_rate}
    settings: dict[str, object] = {
        "task": {"family": "unet", "supervised": phase},
        "tuning": {"every": max(1, study.steps // 4), "heads": len(study.tune)},
        "optimiser": {"warmup_steps": max(1, study.steps // 10), "average_decay": 0.98},
    }
    template = shared_folders("model_templates")[0] / TEMPLATE
    command: Sequence[object] = (
        sys.executable, "-m", "perfusynth.cli.main", "train", "ncct_perfusion", "--bundle", template, "--data", cases,
        "--split", run.parent / "split.json", "-o", run, "--export", bundle, "--device", "cpu",
        *(part for name, value in settings.items() for part in ("--set", f"{name}={json.dumps(value)}")),
    )  # fmt: skip
    ended = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise TrainingFailedError((ended.stderr.strip().splitlines() or ["no word"])[-1])
