"""`perfusynth prepare`: raw studies to case folders, without identities."""

from pathlib import Path
from typing import Annotated

import typer

from perfusynth.cli.refusals import bad_option, bad_settings


def prepare(
    source: Annotated[
        Path,
        typer.Argument(metavar="SOURCE", help="Tree of DICOM files, ISLES'24's folder, or a folder of case folders."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the cases; an unfinished run in it goes on.")],
    layout: Annotated[str | None, typer.Option(help="dicom, isles24 or cases; default: by what SOURCE holds.")] = None,
    minutes: Annotated[float, typer.Option(help="Longest time from the NCCT to the perfusion study.")] = 30.0,
    maps: Annotated[
        str, typer.Option(help="ctp: made out of the CTP where there is one; given: those that came with the study.")
    ] = "ctp",
    interval: Annotated[float | None, typer.Option(help="Interval of the frames, s, where files have none.")] = None,
    keep_ctp: Annotated[bool, typer.Option(help="Write ctp.nii.gz, which annotators look at.")] = True,
    override: Annotated[list[str] | None, typer.Option(help="Code of a head check that must not refuse.")] = None,
    brain_method: Annotated[str, typer.Option(help="builtin or totalsegmentator.")] = "builtin",
    salt: Annotated[
        Path | None,
        typer.Option(help="Private file of the salt of the hashes, outside OUT.", show_default="in PERFUSYNTH_HOME"),
    ] = None,
) -> None:
    """Make case folders out of raw studies: maps, brain, registration, and no identities. Research use only.

    OUT receives a case folder each, exclusions.json and exclusions.csv with every reason, and summary.html with a
    picture of every case. Run again, it goes on; what is finished, annotators' corrections too, is left as it is.
    """
    from typing import cast, get_args

    from perfusynth.brain_structures.methods import brain_extractor
    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.studies.prepare import prepare as run
    from perfusynth.studies.pseudonyms import default_salt_file, pseudonyms_of
    from perfusynth.studies.settings import Preferred, PrepareSettings
    from perfusynth.studies.subjects import Layout

    if layout is not None and layout not in get_args(Layout):
        raise bad_option("prepare", "There is no such layout.", " or ".join(get_args(Layout)), layout[:32])
    if maps not in get_args(Preferred):
        raise bad_option("prepare", "It is not clear whose maps to keep.", " or ".join(get_args(Preferred)), maps[:32])
    try:
        settings = PrepareSettings(
            minutes=minutes,
            preferred=cast(Preferred, maps),
            interval_s=interval,
            keep_ctp=keep_ctp,
            override=tuple(override or ()),
            brain_method=brain_method,
        )
    except ValueError as error:
        raise bad_settings("prepare", error) from None
    pseudonyms = pseudonyms_of(salt or default_salt_file(), out)
    extractor = brain_extractor(brain_method)
    with progress_bar("prepare") as progress:
        done = run(
            source,
            out,
            settings,
            pseudonyms=pseudonyms,
            layout=cast("Layout | None", layout),
            extractor=extractor,
            on_progress=progress,
        )
    typer.echo(f"cases: {len(done.cases)}, {len(done.made)} of them new")
    for name in done.changed:
        typer.echo(f"left as it is, though its files have changed: {name}", err=True)
    codes = sorted({row["code"] for row in done.excluded})
    for code in codes:
        typer.echo(f"left out, {code}: {sum(row['code'] == code for row in done.excluded)}")
    typer.echo(f"summary: {out / 'summary.html'}")
