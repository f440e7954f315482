"""`perfusynth maps`: Tmax, CBF, CBV and MTT out of a CT perfusion study."""

from pathlib import Path
from typing import Annotated

import typer

from perfusynth.cli.frame_times import Interval, Times, listed_times
from perfusynth.cli.refusals import bad_option, bad_settings


def maps(
    source: Annotated[
        Path, typer.Argument(metavar="CTP", help="CT perfusion study: 4-D NIfTI, DICOM folder or zip of one.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the result.")],
    aif: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="The artery, RAS mm as 3D Slicer shows it; default: automatic.")
    ] = None,
    method: Annotated[str, typer.Option(help="osvd, csvd or ssvd.")] = "osvd",
    threshold: Annotated[float, typer.Option(help="csvd, ssvd: singular values below this share are dropped.")] = 0.10,
    oscillation: Annotated[float, typer.Option(help="osvd: largest oscillation index.")] = 0.035,
    haematocrit_factor: Annotated[float, typer.Option(help="kH: 0.73 to 0.85 in use.")] = 0.73,
    smoothing: Annotated[float, typer.Option(help="SD of the smoothing of the curves in space, mm; 0: none.")] = 2.8,
    interval: Interval = None,
    times: Times = None,
    motion: Annotated[bool, typer.Option("--motion/--no-motion", help="Correct motion between frames.")] = True,
    partial_volume: Annotated[
        bool, typer.Option("--partial-volume/--no-partial-volume", help="Scale the artery to the vein's area.")
    ] = True,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    brain_method: Annotated[
        str | None, typer.Option(help="builtin or totalsegmentator; default: PERFUSYNTH_BRAIN_METHOD, else builtin.")
    ] = None,
    report: Annotated[bool, typer.Option(help="Write report.html and report.png.")] = True,
) -> None:
    """Make quantitative perfusion maps out of a CT perfusion study. Research use only.

    OUT receives tmax.nii.gz and mtt.nii.gz (s), cbf.nii.gz (mL/100 g/min), cbv.nii.gz (mL/100 g) on CTP's grid
    (straightened if it is sheared), brain, valid and baseline, measurements.json, report.html and report.png with the
    artery and vein that were chosen.
    """
    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.cli.told import tell
    from perfusynth.synthesis.result_folder import result_folder

    position = None if aif is None else _position(aif)
    listed = listed_times("maps", times, interval)
    with result_folder(out) as folder:
        from perfusynth.brain_structures.methods import brain_extractor
        from perfusynth.ctp_maps.pipeline import make_maps

        settings = _settings(
            method, threshold, oscillation, haematocrit_factor, smoothing, position, motion, partial_volume, device
        )
        with progress_bar("maps") as progress:
            found = make_maps(
                source,
                folder,
                settings,
                times_s=listed,
                interval_s=interval,
                extractor=brain_extractor(brain_method, device=device),
                report=report,
                on_progress=progress,
            )
    tell(found, out)


def _settings(
    method: str,
    threshold: float,
    oscillation: float,
    haematocrit_factor: float,
    smoothing: float,
    position: tuple[float, float, float] | None,
    motion: bool,
    partial_volume: bool,
    device: str,
):
    from typing import cast

    from perfusynth.ctp_maps.settings import MapSettings
    from perfusynth.perfusion.deconvolution.settings import DeconvolutionSettings, Method
    from perfusynth.perfusion.series.arteries import ArterySettings
    from perfusynth.perfusion.series.smoothing import SmoothingSettings
    from perfusynth.registration.motion_settings import MotionSettings

    try:
        return MapSettings(
            motion=MotionSettings() if motion else None,
            arteries=ArterySettings(partial_volume="vof" if partial_volume else "none"),
            aif_position_mm=position,
            smoothing=SmoothingSettings(in_plane_mm=smoothing, across_mm=smoothing),
            deconvolution=DeconvolutionSettings(
                method=cast(Method, method),
                threshold=threshold,
                oscillation=oscillation,
                haematocrit_factor=haematocrit_factor,
            ),
            device=device,
        )
    except ValueError as error:
        raise bad_settings("maps", error) from None


def _position(text: str) -> tuple[float, float, float]:
    try:
        x, y, z = (float(field) for field in text.split(","))
    except ValueError:
        raise bad_option(
            "maps",
            "The position of the artery cannot be read.",
            "--aif X,Y,Z in RAS mm, such as 24.5,3,-18",
            text[:60],
        ) from None
    return x, y, z
