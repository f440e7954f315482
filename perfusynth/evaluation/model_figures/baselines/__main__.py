"""`python -m perfusynth.evaluation.model_figures.baselines`: fits the rules to training patients, writes the file."""

from pathlib import Path
from typing import Annotated

import typer

from perfusynth.evaluation.command_line import run

#: Training patients, and draws of the bank for the incidence maps.
PATIENTS, DRAWS, FIRST_SEED = 300, 20_000, 1_000_000


def fit(
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    bank: Annotated[Path, typer.Option(help="Folder of a bank of twins (make information-ceiling); drawn if empty.")],
    drawn: Annotated[Path, typer.Option(help="Folder of drawn patients, read and added to.")],
    patients: Annotated[int, typer.Option(min=20, help="Training patients.")] = PATIENTS,
    draws: Annotated[int, typer.Option(min=200, help="Draws of the bank.")] = DRAWS,
    first_seed: Annotated[int, typer.Option(min=0, help="First training patient.")] = FIRST_SEED,
) -> None:
    """Fit the untrained baselines."""
    from rich.console import Console
    from rich.progress import track

    from perfusynth.evaluation.information_ceiling.bank import bank_of
    from perfusynth.evaluation.model_figures.baselines.fit import fit_baselines, write_baselines
    from perfusynth.evaluation.model_figures.case import case_of_rendered
    from perfusynth.phantom.drawn import DrawnPatients

    case_of_seed = DrawnPatients(drawn)
    seeds = track(range(first_seed, first_seed + patients), "patients", console=Console(stderr=True))
    cases = (case_of_rendered(case_of_seed(seed)) for seed in seeds)
    found = fit_baselines(cases, bank_of(bank, draws, processes=1))
    write_baselines(out, found)
    typer.echo(
        f"normal {found.normal_tmax_s:.2f} s, {found.normal_cbf:.1f} mL/100 g/min; cuts {found.artery_cut:.2f} SD "
        f"(artery), {found.tissue_cut:.2f} SD (tissue)"
    )


if __name__ == "__main__":
    run(fit)
