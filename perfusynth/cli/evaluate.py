"""`perfusynth evaluate`: a model's figures on digital patients, beside a constant normal map."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    model: Annotated[str, typer.Argument(help="Task, name of an installed model, or a bundle folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for report.json and patients.csv.")],
    phantom_seeds: Annotated[str, typer.Option(help="Patients A:B, A included, B not.")] = "3000000:3000200",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Measure MODEL on digital patients: errors, Tmax > 6 s overlap and volumes, side, false positives.

    Refuses seeds that the model was trained or tuned on.
    """
    import csv
    import json

    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.cli.seed_range import seed_range
    from perfusynth.evaluation.phantom_figures import (
        as_rows,
        constant_normal,
        normal_values,
        patient_figures,
        summary,
    )
    from perfusynth.generators.bundles import read_bundle
    from perfusynth.generators.loading import load_generator
    from perfusynth.generators.registry import live_bundle
    from perfusynth.phantom.render import render_on_model_grid
    from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash
    from perfusynth.synthesis.result_folder import result_folder
    from perfusynth.volumes.volume import Volume

    seeds = seed_range(phantom_seeds)
    bundle = read_bundle(Path(model)) if Path(model).is_dir() else live_bundle(model)
    settings = bundle.spec.training.get("settings", {})
    _refuse_seen(seeds, settings)
    generator = load_generator(bundle, device=device)
    modality = bundle.spec.inputs[0].name
    first = settings.get("tune_seeds", [2_000_000])[0]
    constant = constant_normal(*normal_values(range(first, first + 10)))
    rows: dict[str, list] = {bundle.name: [], "constant normal map": []}
    with result_folder(out) as folder, progress_bar("evaluate") as progress:
        for k, seed in enumerate(seeds):
            progress(f"patient {k + 1} of {len(seeds)}", k / len(seeds))
            case = render_on_model_grid(seed)
            scan = Volume(case.volumes[modality], case.affine)
            brain = scan.with_array(case.volumes["brain"])
            maps = generator.synthesize({modality: scan, "brain": brain}).maps
            made = {name: volume.array for name, volume in maps.items()}
            rows[bundle.name].append(patient_figures(seed, bundle.name, case, made))
            rows["constant normal map"].append(patient_figures(seed, "constant normal map", case, constant(case)))
        methods = {name: summary(figures) for name, figures in rows.items()}
        report = {
            "model": bundle.name,
            "version": bundle.version,
            "weights_sha256": bundle.spec.weights_sha256,
            "phantom": {"version": PHANTOM_VERSION, "parameter_hash": parameter_hash()},
            "seeds": phantom_seeds,
            "methods": methods,
        }
        (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        table = [row for figures in rows.values() for row in as_rows(figures)]
        with (folder / "patients.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, table[0].keys())
            writer.writeheader()
            writer.writerows(table)
    typer.echo(f"{'':28}" + "".join(f"{name:>28}" for name in methods))
    for key in next(iter(methods.values())):
        typer.echo(f"{key:28}" + "".join(f"{figures[key]!s:>28}" for figures in methods.values()))


def _refuse_seen(seeds: range, settings: dict) -> None:
    from perfusynth.errors import InputError

    for name in ("train_seeds", "tune_seeds"):
        first, end = settings.get(name, (0, 0))
        if seeds.start < end and first < seeds.stop:
            raise InputError(
                "These patients were used to make the model.",
                expected=f"seeds outside {first}:{end} ({name})",
                got=f"{seeds.start}:{seeds.stop}",
                hint="Choose patients that the model has never seen.",
                code="seen_patients",
            )
