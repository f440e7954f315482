"""`python -m perfusynth.evaluation.ctp_agreement`: `perfusynth maps` on digital patients against the truth."""

from pathlib import Path
from typing import Annotated

import typer

from perfusynth import atomic
from perfusynth.evaluation.command_line import run

#: Files of a run beside its rows.
TABLE_FILE, PICTURE_FILE = "table.md", "ctp_maps.png"
#: What stands in the picture's place where it cannot be seen.
CAPTION = "True region, and Tmax with and without motion correction, over the first frame: the median patient by grade"


def agreement(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for rows.jsonl, table.md, ctp_maps.png.")],
    patients: Annotated[int, typer.Option(min=1, help="How many patients with a deficit.")] = 24,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed to begin with; patients without a deficit are passed over.")
    ] = 8_001_000,
    protocols: Annotated[
        str, typer.Option(help="Protocols, with commas, in turn over the patients; all when empty.")
    ] = "",
    processes: Annotated[int, typer.Option(min=1, help="Patients at once.")] = 1,
    docs: Annotated[Path | None, typer.Option(help="Folder with perfusion.md: table and picture are renewed.")] = None,
) -> None:
    """Compare maps, artery and vein with the truth; continues where an earlier run of the same folder stopped."""
    from rich.console import Console
    from rich.progress import Progress

    from perfusynth.evaluation.ctp_agreement import patients as of_patients
    from perfusynth.evaluation.ctp_agreement.picture import draw
    from perfusynth.evaluation.ctp_agreement.table import markdown
    from perfusynth.evaluation.page_block import put_between_markers
    from perfusynth.phantom.ctp.protocols import PROTOCOLS, protocol_named
    from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash

    names = [protocol_named(name).name for name in protocols.split(",") if name] or list(PROTOCOLS)
    seeds = of_patients.seeds_with_deficit(seed, patients)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("patients", total=patients)
        rows = of_patients.measure_patients(
            out, of_patients.in_turn(seeds, names), processes, lambda done: progress.update(task, completed=done)
        )
    text = (
        f"Phantom {PHANTOM_VERSION}, parameters {parameter_hash()[:12]}, {len(rows)} patients with an occlusion, "
        f"seeds {seeds[0]} to {seeds[-1]}; median (95 % interval over patients, from 8 on).\n\n{markdown(rows)}"
    )
    atomic.write_bytes(out / TABLE_FILE, text.encode())
    draw(rows, out / of_patients.SLICES, out / PICTURE_FILE)
    if docs is not None:
        shown = f"{text}\n![{CAPTION}](pictures/{PICTURE_FILE})\n"
        put_between_markers(docs / "perfusion.md", "ctp-agreement", shown)
        draw(rows, out / of_patients.SLICES, docs / "pictures" / PICTURE_FILE)
    typer.echo(text)


if __name__ == "__main__":
    run(agreement)
