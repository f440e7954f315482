"""``python -m perfusynth.evaluation.information_ceiling --out FOLDER``: ceiling.json and a picture."""

import argparse
import sys
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from perfusynth.errors import InputError
from perfusynth.evaluation.information_ceiling.picture import draw_picture
from perfusynth.evaluation.information_ceiling.run import (
    DRAWS,
    HEALTHY,
    PATIENTS,
    TEST_SEED,
    information_ceiling,
    write_report,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(prog="information-ceiling", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the bank, ceiling.json and ceiling.png")
    parser.add_argument("--draws", type=int, default=DRAWS, help="twins in the bank (default %(default)s)")
    parser.add_argument("--patients", type=int, default=PATIENTS, help="test patients (default %(default)s)")
    parser.add_argument("--healthy", type=int, default=HEALTHY, help="patients who show the noise")
    parser.add_argument("--first-seed", type=int, default=TEST_SEED, help="first test patient (default %(default)s)")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, TimeRemainingColumn()) as progress:
            tasks: dict[str, int] = {}

            def on_stage(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = progress.add_task(stage, total=total)
                progress.update(tasks[stage], completed=done)  # type: ignore[arg-type]

            result = information_ceiling(
                range(given.first_seed, given.first_seed + given.patients),
                given.out,
                draws=given.draws,
                healthy=given.healthy,
                processes=given.processes,
                on_stage=on_stage,
            )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    write_report(given.out / "ceiling.json", result.report)
    draw_picture(given.out / "ceiling.png", result)
    for name in ("U", "prior", "told_site_and_side", "U_core"):
        figure = result.report[name]
        print(f"{name}: {figure['mean']} ({figure['low']} to {figure['high']}, {figure['n']} patients)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
