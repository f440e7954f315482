"""``python -m perfusynth.evaluation.map_round_trip -o OUT``: the floor of the maps' error, by what carries them."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from perfusynth import atomic
from perfusynth.evaluation.command_line import run
from perfusynth.evaluation.map_round_trip.carriers import (
    Carrier,
    as_8_bits,
    as_bfloat16,
    as_float16,
    resampled,
    through,
    through_pictures,
)
from perfusynth.evaluation.map_round_trip.compact import trained_autoencoder
from perfusynth.evaluation.map_round_trip.figures import figures_of, table
from perfusynth.evaluation.patient_rows import rows_of_patients
from perfusynth.generators.bundles import GeneratorSpec, read_bundle
from perfusynth.generators.registry import live_bundle
from perfusynth.phantom.drawn import CaseOfSeed, DrawnPatients
from perfusynth.phantom.render import render_on_model_grid

#: Digital patients on which autoencoders are trained, and those on which carriers are measured: tuning patients, since
#: nothing here is a figure of a model.
TRAIN_SEEDS, MEASURED_SEEDS = range(1_000_000, 1_005_000), range(2_000_000, 2_000_096)


def main(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of rows, weights and table; a run in it goes on.")],
    model: Annotated[str, typer.Option(help="Model whose autoencoder and ranges are meant.")] = "ncct_perfusion",
    patients: Annotated[int, typer.Option(help="How many of the tuning patients.")] = len(MEASURED_SEEDS),
    minutes: Annotated[float, typer.Option(help="Training of the compact autoencoder; 0 leaves it out.")] = 5.0,
    base: Annotated[Path | None, typer.Option(help="Folder of SD-Turbo's weights, with vae/; none: left out.")] = None,
    base_spacing: Annotated[float, typer.Option(help="In-plane voxel on which the base sees maps, mm.")] = 0.45,
    drawn: Annotated[Path | None, typer.Option(help="Folder that keeps digital patients once they are drawn.")] = None,
) -> None:
    """Measure every carrier on the same patients and print the table."""
    spec = (read_bundle(Path(model)) if Path(model).is_dir() else live_bundle(model)).spec
    case_of: CaseOfSeed = DrawnPatients(drawn) if drawn else render_on_model_grid
    zoom = spec.grid.spacing_mm / base_spacing
    carriers: dict[str, Carrier] = {"float16": as_float16, "bfloat16": as_bfloat16, "8 bits": as_8_bits}
    if minutes > 0:
        weights = out / "compact_autoencoder.safetensors"
        trained = trained_autoencoder(spec, TRAIN_SEEDS, case_of, minutes, weights, _told)
        carriers["autoencoder of the model's size"] = through(trained)
    if base is not None:
        carriers["to the base's grid and back"] = resampled(zoom)
        carriers["autoencoder of the base"] = through_pictures(base, zoom)
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, carrier in carriers.items():
        one = partial(_figures, case_of=case_of, carrier=carrier, spec=spec)
        path = out / f"{name.replace(' ', '-').replace(chr(39), '')}.jsonl"
        rows[name] = rows_of_patients(path, MEASURED_SEEDS[:patients], one, on_progress=partial(_counted, name))
    text = table(rows)
    atomic.write_bytes(out / "table.md", text.encode())
    typer.echo(text)


def _figures(seed: int, *, case_of: CaseOfSeed, carrier: Carrier, spec: GeneratorSpec) -> dict[str, Any]:
    return figures_of(seed, case_of(seed), carrier, spec)


def _told(share: float, steps: int, error: float) -> None:
    if steps % 20 == 0:
        print(f"training: {share:.0%}, step {steps}, error {error:.4f}", file=sys.stderr, flush=True)


def _counted(name: str, done: int) -> None:
    if done % 10 == 0:
        print(f"{name}: {done} patients", file=sys.stderr, flush=True)


if __name__ == "__main__":
    run(main)
