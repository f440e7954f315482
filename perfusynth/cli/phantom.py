"""`perfusynth phantom`: digital stroke patients as case folders."""

from pathlib import Path
from typing import Annotated

import typer

#: What `--help` says of `perfusynth.phantom.case.modalities.DEFAULT_MODALITIES`.
DEFAULT = "all but ctp and thin"


def phantom(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder that receives one case folder a patient.")],
    patients: Annotated[int, typer.Option(min=1, help="How many patients.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first; the others follow.")] = 0,
    scanner: Annotated[str, typer.Option(help="Name of the NCCT's scanner.")] = "standard_5mm",
    modalities: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated names: ncct, brain, cta, ctp, tmax, cbf, cbv, mtt, valid, core, dwi, adc, flair, "
            "thin (NCCT and CTA of 0.67 x 0.67 x 1.25 mm with labelled arteries). By default about 65 MB a patient, of "
            "which the CTA takes 45; a CTP takes 25 to 110 MB more, a thin pair 30 MB.",
            show_default=DEFAULT,
        ),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODALITY=GRID",
            help="native, model (192 x 192, 1.2 mm, 5 mm slabs), XxYxZ voxels over the same field of view, or another "
            "modality, as in tmax=ncct. Repeat for more modalities. The ctp has its protocol's grid.",
        ),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Name of the CTP protocol.", show_default="drawn for each patient")
    ] = None,
    misregistration: Annotated[
        float, typer.Option(min=0.0, help="Factor on how far the head moves between NCCT and CTP; 0: not at all.")
    ] = 1.0,
    motion: Annotated[bool, typer.Option("--motion/--no-motion", help="Whether the head moves during the CTP.")] = True,
    anatomy: Annotated[str, typer.Option(help="mni152, or older_adult_ct (never used in training).")] = "mni152",
    lesions: Annotated[
        str, typer.Option(help="simulated, or real: shapes of public real infarcts (never used in training).")
    ] = "simulated",
    finding: Annotated[
        str, typer.Option(help="What a scan must be refused for: none, haemorrhage, tumour, craniotomy, metal.")
    ] = "none",
) -> None:
    """Make digital stroke patients: one patient in every modality, from one seed.

    A case that is there with the same settings is left as it is, so that the same command goes on where it stopped.
    """
    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.evaluation.information_ceiling.sign_reader import shipped_sign_reader
    from perfusynth.phantom.case import write_case
    from perfusynth.phantom.case.modalities import DEFAULT_MODALITIES
    from perfusynth.phantom.case.settings import one_of
    from perfusynth.phantom.ct.scanners import SCANNERS

    model = SCANNERS[one_of("scanner", scanner, SCANNERS)]
    grids = _grids(grid or [])
    sign_of = shipped_sign_reader()
    names = DEFAULT_MODALITIES if modalities is None else tuple(modalities.split(","))
    with progress_bar("phantom") as progress:
        for k in range(patients):

            def listen(stage: str, fraction: float, k: int = k) -> None:
                progress(f"patient {k + 1} of {patients}: {stage}", (k + fraction) / patients)

            write_case(
                out / f"phantom-{seed + k}",
                seed + k,
                model,
                modalities=names,
                grids=grids,
                protocol=protocol,
                misregistration=misregistration,
                motion=motion,
                anatomy=anatomy,
                lesions=lesions,
                finding=finding,
                sign_of=sign_of,
                on_progress=listen,
            )
        progress("done", 1.0)


def _grids(options: list[str]) -> dict[str, str]:
    from perfusynth.phantom.case.grids import check_choices

    chosen = {}
    for option in options:
        name, _, choice = option.partition("=")
        chosen[name.strip()] = choice.strip()
    check_choices(chosen)
    return chosen
