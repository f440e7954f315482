"""From seeds to the report: the bank, the observer, the patients, resumable in one folder."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from perfusynth import atomic
from perfusynth.evaluation.information_ceiling import arteries, measurement, regions, visible
from perfusynth.evaluation.information_ceiling.bank import Draws, bank_of
from perfusynth.evaluation.information_ceiling.ceiling import Ceiling, Patients, Posterior, render_patients
from perfusynth.evaluation.information_ceiling.chunks import chunked, code_stamp
from perfusynth.evaluation.information_ceiling.observer import HEALTHY_SEEDS, measure_healthy, observer_of
from perfusynth.evaluation.information_ceiling.report import as_rows, report_of
from perfusynth.evaluation.information_ceiling.sign import sign_cuts
from perfusynth.evaluation.information_ceiling.sign_reader import OBSERVER_FILE, SignReader, write_sign_reader
from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash

#: Draws, test patients and healthy patients of the figure that counts [DESIGN: >= 20,000 draws, >= 200 with a deficit].
DRAWS, PATIENTS, HEALTHY = 20_000, 280, 200
#: Patients whose Dice under half the bank tells whether the bank is large enough.
CONVERGENCE_PATIENTS = 100
#: Rendered patients in one file.
RENDERED_CHUNK = 10
#: First of the test patients: nobody looked at these while the observer was built.
TEST_SEED = 7_000_000

#: Is told a stage's name, how much of it is done, and how much there is.
OnStage = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Result:
    """The report (plain JSON values), and the posteriors that it was made of."""

    report: dict
    posteriors: list[Posterior]
    patients: Patients


def information_ceiling(
    seeds: range,
    folder: Path,
    *,
    draws: int = DRAWS,
    healthy: int = HEALTHY,
    processes: int = 2,
    on_stage: OnStage | None = None,
) -> Result:
    """The information ceiling of the test patients ``seeds``; what is made on the way is kept in ``folder``.

    An interrupted run goes on where it stopped; a folder of another phantom is refused (`InputError`). Patients whom
    other code has measured are measured anew.
    """

    def telling(stage: str) -> Callable[[int, int], None]:
        return lambda done, total: on_stage(stage, done, total) if on_stage is not None else None

    folder = Path(folder)
    measured_by = code_stamp(arteries, measurement, regions, visible)
    bank = bank_of(folder, draws, processes=processes, on_progress=telling("twins"))
    found = chunked(
        folder,
        f"healthy_{measured_by}",
        HEALTHY_SEEDS[:healthy],
        measure_healthy,
        size=RENDERED_CHUNK,
        processes=processes,
        on_progress=telling("patients without deficit"),
    )
    observer = observer_of(found["values"], found["gain"])
    cuts = sign_cuts(observer, found["values"])
    write_sign_reader(folder / OBSERVER_FILE, SignReader(observer, cuts))
    arrays = chunked(
        folder,
        f"patients_{measured_by}",
        seeds,
        render_patients,
        size=RENDERED_CHUNK,
        processes=processes,
        on_progress=telling("test patients"),
    )
    patients = Patients(Draws(**{f.name: arrays[f.name] for f in fields(Draws)}), arrays["measured"], arrays["gain"])
    ceiling = Ceiling(bank, observer, cuts)
    ceiling.prepare(patients.truth.sites)
    posteriors: list[Posterior] = []
    with ThreadPoolExecutor(processes) as pool:
        for posterior in pool.map(lambda number: ceiling.posterior(patients, number), range(len(patients))):
            posteriors.append(posterior)
            telling("posteriors")(len(posteriors), len(patients))
    rows = [posterior.figures for posterior in posteriors]
    some = [number for number, row in enumerate(rows) if row.ill][:CONVERGENCE_PATIENTS]
    half = Ceiling(bank.first(draws // 2), observer, cuts)
    half.prepare(patients.truth.sites)
    with ThreadPoolExecutor(processes) as pool:
        by_half = [p.figures.dice or 0.0 for p in pool.map(lambda number: half.posterior(patients, number), some)]
    report = {
        "phantom_version": PHANTOM_VERSION,
        "parameter_hash": parameter_hash(),
        "draws": draws,
        "healthy": healthy,
        "seeds": [seeds.start, seeds.stop],
        **report_of(rows),
        "convergence": {
            "patients": len(some),
            "dice": float(np.mean([rows[number].dice or 0.0 for number in some])) if some else None,
            "dice_by_half_the_bank": float(np.mean(by_half)) if some else None,
        },
        "sign_cuts": asdict(cuts),
        "rows": as_rows(rows),
    }
    return Result(report, posteriors, patients)


def write_report(path: Path, report: dict) -> None:
    """Write the report as JSON, whole or not at all."""
    atomic.write_bytes(path, (json.dumps(report, indent=1, default=float) + "\n").encode())
