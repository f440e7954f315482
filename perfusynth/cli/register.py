"""`perfusynth register`: how a plain CT lies to a CT perfusion study, as a transform file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import typer

from perfusynth.cli.frame_times import Interval, Times, listed_times
from perfusynth.cli.refusals import bad_option
from perfusynth.errors import InputError
from perfusynth.progress import OnProgress

if TYPE_CHECKING:
    from perfusynth.volumes.series import Series
    from perfusynth.volumes.volume import Volume

Image = TypeVar("Image")
#: What `read_perfusion` says of an image that is no series in time.
_NO_SERIES = ("not_4d", "unknown_format", "not_a_perfusion_study")


def register(
    fixed: Annotated[
        Path,
        typer.Argument(metavar="FIXED", help="CT perfusion study, or one image of it: NIfTI, NRRD, DICOM folder, zip."),
    ],
    moving: Annotated[Path, typer.Argument(metavar="MOVING", help="Plain head CT: NIfTI, NRRD, DICOM folder or zip.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.tfm", help="Transform file to write.")],
    mask: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where FIXED is compared: a mask, NIfTI or NRRD.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option(metavar="FILE.tfm", help="Transform to refine; nothing is searched then.")
    ] = None,
    frames: Annotated[str, typer.Option(help="Of a series in time: mean or baseline (before the contrast).")] = "mean",
    interval: Interval = None,
    times: Times = None,
    motion: Annotated[
        bool, typer.Option("--motion/--no-motion", help="Bring the frames to one position first.")
    ] = True,
    author: Annotated[str | None, typer.Option(help="Who is told to have made it; default: this program.")] = None,
) -> None:
    """Register a plain CT (MOVING) to a CT perfusion study (FIXED) of the same visit. Research use only.

    FILE.tfm maps points of FIXED to MOVING, in LPS mm: sitk.Resample(moving, fixed, transform) lays MOVING on FIXED,
    and 3D Slicer reads it as a linear transform. FILE.json beside it has the same matrix in RAS mm, figures of quality,
    and the probability that the error is above 2 mm.
    """
    from perfusynth import atomic
    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.registration.register import register as find
    from perfusynth.registration.transform_file import read_transform, transform_bytes
    from perfusynth.registration.transform_sidecar import AUTHOR, automatic_registration, sidecar
    from perfusynth.volumes.series import Series

    settings = _settings(frames, motion)
    beside = _checked_out(out)
    given = {"times_s": listed_times("register", times, interval), "interval_s": interval}
    began = None if start is None else read_transform(start)
    with progress_bar("register") as progress:
        moving_read = _image(moving, progress)
        fixed_read = _image_or_series(fixed, given, progress)
        found = find(
            fixed_read.image,
            moving_read.image,
            fixed_mask=None if mask is None else _mask(mask, fixed_read.image),
            start=began,
            settings=settings,
            on_progress=progress,
        )
    registration = automatic_registration(found, author or AUTHOR)
    told = sidecar(
        registration,
        started_from="search" if start is None else "a given transform",
        fixed_is=f"{frames} of a series" if isinstance(fixed_read.image, Series) else "one image",
        fixed_sha256=fixed_read.sha256,
        moving_sha256=moving_read.sha256,
        notes={"fixed": list(fixed_read.notes), "moving": list(moving_read.notes)},
    )
    atomic.write_bytes(beside, told)
    atomic.write_bytes(out, transform_bytes(found.fixed_to_moving, found.centre))
    for name, read in (("FIXED", fixed_read), ("MOVING", moving_read)):
        for note in read.notes:
            typer.echo(f"note: {name}: {note}")
    _tell(registration, found.centre, out)


def _settings(frames: str, motion: bool):
    from typing import cast, get_args

    from perfusynth.registration.motion_settings import MotionSettings
    from perfusynth.registration.registration_settings import FixedFrames, RegistrationSettings

    if frames not in get_args(FixedFrames):
        raise bad_option("register", "These frames are not known.", " or ".join(get_args(FixedFrames)), frames[:60])
    return RegistrationSettings(fixed_frames=cast(FixedFrames, frames), motion=MotionSettings() if motion else None)


def _checked_out(out: Path) -> Path:
    """The sidecar's path; refuses what is no transform file's name, and what is there already."""
    if out.suffix != ".tfm":
        raise bad_option("register", "The transform file has another ending.", "-o FILE.tfm", out.name[-60:])
    beside = out.with_suffix(".json")
    for path in (out, beside):
        if path.exists():
            raise InputError(
                f"{path} exists already.",
                expected="a transform file that does not exist yet, nor a .json of that name",
                got="a file of that name",
                hint="Choose another with -o, or remove it first; registrations are never overwritten.",
                code="exists",
            )
    return beside


@dataclass(frozen=True, eq=False)
class _Read(Generic[Image]):
    """A volume or a series (``image``), the SHA-256 of its voxels, and what must be told of it."""

    image: Image
    sha256: str
    notes: tuple[str, ...]


def _image(path: Path, progress: OnProgress) -> "_Read[Volume]":
    from perfusynth.readers.read import read_scan

    scan = read_scan(path, on_progress=lambda stage, _: progress(stage, 0.0))
    return _Read(scan.volume, scan.source_sha256, scan.notes)


def _image_or_series(path: Path, given: dict[str, Any], progress: OnProgress) -> "_Read[Volume] | _Read[Series]":
    """``given``: when the frames were acquired, as `read_perfusion` takes it; one image has no such times."""
    from perfusynth.readers.perfusion_series import read_perfusion

    try:
        study = read_perfusion(path, **given, on_progress=lambda stage, _: progress(stage, 0.0))
    except InputError as fault:
        if fault.code not in _NO_SERIES or any(value is not None for value in given.values()):
            raise
        return _image(path, progress)
    return _Read(study.series, study.source_sha256, study.notes)


def _mask(path: Path, fixed):
    """A mask in any format that scans come in, on FIXED's grid."""
    from perfusynth.readers.read import read_scan
    from perfusynth.registration.head_images import on_grid
    from perfusynth.volumes.volume import Volume

    mask = read_scan(path).volume
    inside = mask.with_array(mask.array > 0.5)
    return on_grid(inside, Volume(fixed.array[..., 0] if fixed.array.ndim == 4 else fixed.array, fixed.affine))


def _tell(registration, centre, out: Path) -> None:
    import numpy as np
    from scipy.spatial.transform import Rotation

    from perfusynth.volumes.case_registration import left_out

    matrix = registration.fixed_to_moving
    shift = matrix[:3, :3] @ centre + matrix[:3, 3] - centre
    turn = np.degrees(np.linalg.norm(Rotation.from_matrix(matrix[:3, :3]).as_rotvec()))
    typer.echo(f"shift of the head's middle: {' '.join(f'{v:.1f}' for v in shift)} mm (right, anterior, superior)")
    typer.echo(f"turn: {turn:.1f} degrees")
    typer.echo(f"probability that it is off by more than 2 mm: {registration.probability_over_2mm:.2f}")
    if (doubt := left_out(registration)) is not None:
        typer.echo(f"warn: {doubt}")
    typer.echo(f"result: {out}")
