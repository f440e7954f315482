"""`python -m perfusynth.evaluation.registration_error`: pairs registered, the model fitted, and what it is worth."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from perfusynth import atomic
from perfusynth.evaluation.command_line import run

#: Files of a run beside its rows.
MODEL_FILE, TABLE_FILE = "error_probability.json", "table.md"
PROBABILITY_PICTURE, PAIRS_PICTURE = "registration_error.png", "registration_pairs.png"
CAPTION = "Left: share of hard pairs that are wrong over the probability that they are; right: by true error and kind"


def study(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for rows, model, table and pictures.")],
    share: Annotated[float, typer.Option(min=0.01, max=1, help="Share of the pairs; the first seeds of each set.")] = 1,
    processes: Annotated[int, typer.Option(min=1, help="Pairs at once.")] = 1,
    keep: Annotated[bool, typer.Option(help="Put the fitted model in force: perfusynth's own file.")] = False,
    docs: Annotated[
        Path | None, typer.Option(help="Folder with registration.md: table and pictures are renewed.")
    ] = None,
) -> None:
    """Fit and report the probability of error; continues where an earlier run of the same folder stopped."""
    from rich.console import Console
    from rich.progress import Progress

    from perfusynth.evaluation.page_block import put_between_markers
    from perfusynth.evaluation.registration_error.fit import fit_model, probabilities
    from perfusynth.evaluation.registration_error.picture import draw_probabilities
    from perfusynth.evaluation.registration_error.study import jobs_of, measure_pairs, registered, usable
    from perfusynth.evaluation.registration_error.table import markdown, summary
    from perfusynth.registration import error_probability

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("pairs", total=None)
        rows = measure_pairs(
            out, jobs_of(share), processes, lambda done, jobs: progress.update(task, completed=done, total=jobs)
        )
    model = fit_model(usable(rows, "fit"), usable(rows, "check"))
    model["fitted_on"] = summary(usable(rows, "fit"), model)
    model["penalty_chosen_on"] = summary(usable(rows, "check"), model)
    model["reported_on_hard_pairs"] = summary(registered(rows, "report", hard=True), model)
    content = (json.dumps(model, indent=2) + "\n").encode()
    atomic.write_bytes(out / MODEL_FILE, content)
    text = markdown(rows, model)
    atomic.write_bytes(out / TABLE_FILE, text.encode())
    hard = registered(rows, "report", hard=True)
    draw_probabilities(hard, probabilities(model, hard), out / PROBABILITY_PICTURE)
    _draw_examples(rows, model, out / PAIRS_PICTURE)
    if keep:
        atomic.write_bytes(error_probability.MODEL_FILE, content)
    if docs is not None:
        for name in (PROBABILITY_PICTURE, PAIRS_PICTURE):
            atomic.write_bytes(docs / "pictures" / name, (out / name).read_bytes())
        shown = f"{text}\n![{CAPTION}](pictures/{PROBABILITY_PICTURE})\n"
        put_between_markers(docs / "registration.md", "registration-error", shown)
    typer.echo(text)


def _draw_examples(rows: Sequence[Mapping[str, Any]], model: Mapping[str, Any], path: Path) -> None:
    """Of each kind of the reported pairs the one with the median error, registered again."""
    from perfusynth.evaluation.registration_error.fit import probabilities
    from perfusynth.evaluation.registration_error.pairs import HARD, simulated_pair
    from perfusynth.evaluation.registration_error.picture import draw_pairs
    from perfusynth.evaluation.registration_error.study import registered
    from perfusynth.registration.register import register

    drawn = []
    for kind in ("ordinary", *HARD):
        own = sorted(
            (row for row in registered(rows, "report") if row["kind"] == kind), key=lambda row: row["error_mm"] or 0.0
        )
        row = own[len(own) // 2]
        pair = simulated_pair(row["seed"], row["hard"])
        error = "two patients" if row["error_mm"] is None else f"error {row['error_mm']:.1f} mm"
        text = f"{error}, probability {probabilities(model, [row])[0]:.2f}"
        drawn.append((pair, register(pair.fixed, pair.moving).fixed_to_moving, text))
    draw_pairs(drawn, path)


if __name__ == "__main__":
    run(study)
