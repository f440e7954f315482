"""Pairs of slices, one real and one of a digital patient, for a reader who says which is which.

`python -m perfusynth.evaluation.realism.reading_set --out FOLDER --real FOLDER_OF_NIFTI` writes `pair-001-a.png`,
`pair-001-b.png`, ... and `key.csv`, which the reader does not get. Files carry no names, dates or positions; a slice of
a real head stays personal data where its owner's rules say so.
"""

import csv
import io
from pathlib import Path
from typing import Annotated, Any

import matplotlib.image
import numpy as np
import typer
from scipy import ndimage

from perfusynth import atomic
from perfusynth.errors import InputError
from perfusynth.phantom.ct.grids import native_grid
from perfusynth.phantom.ct.ncct import render_ncct
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.lattice import stream
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.geometry import nearest_ras
from perfusynth.volumes.nifti import read_nifti
from perfusynth.volumes.resampling import axis_weights
from perfusynth.volumes.volume import Volume

#: What a picture shows: pixels, their size, mm, slab, mm; window, HU.
PIXELS, PIXEL_MM, SLAB_MM, WINDOW_HU = 448, 0.5, 5.0, (0.0, 80.0)
#: Nothing is written beside the pixels.
NO_METADATA: dict[str, Any] = {"Software": None}
#: The slice lies at this share of the brain's height: cerebellum to centrum semiovale.
HEIGHT = (0.25, 0.75)


def slice_of(head: Volume, height: float, coarse_mm: float = PIXEL_MM) -> np.ndarray:
    """A 5 mm slab at a share of the brain's height, as 8-bit picture in radiological view (patient's left: right).

    Real and digital heads go the same way, by pixels of ``coarse_mm`` (the larger of both), so that matrix and
    resampling tell nothing; the head is in the middle.
    """
    head = nearest_ras(head)
    brain = BuiltinBrain().extract(head).mask
    levels = np.flatnonzero(brain.any(axis=(0, 1)))
    spacing = head.spacing
    at = (levels[0] + height * (levels[-1] - levels[0])) * spacing[2]
    along_z = axis_weights(head.shape[2], spacing[2], 0.0, 1, max(SLAB_MM, spacing[2]), at)[0]
    picture = head.array @ (along_z / along_z.sum()) - WINDOW_HU[0]
    centre = ndimage.center_of_mass(brain @ (along_z > 0).astype(np.float32))
    count = int(np.ceil(PIXELS * PIXEL_MM / coarse_mm))
    for axis in (0, 1):
        start = centre[axis] * spacing[axis] - coarse_mm * (count - 1) / 2
        weights = axis_weights(picture.shape[axis], spacing[axis], 0.0, count, coarse_mm, start)
        first = (coarse_mm * (count - 1) - PIXEL_MM * (PIXELS - 1)) / 2
        weights = axis_weights(count, coarse_mm, 0.0, PIXELS, PIXEL_MM, first) @ weights
        picture = np.moveaxis(np.tensordot(weights, picture, axes=(1, axis)), 0, axis)
    grey = np.clip(picture / (WINDOW_HU[1] - WINDOW_HU[0]), 0, 1)
    return np.rint(255 * grey[::-1, ::-1].T).astype(np.uint8)


def digital_head(seed: int) -> Volume:
    """NCCT of one digital patient, on one of the scanners that training knows."""
    patient = draw_patient(seed)
    names = sorted(name for name, scanner in SCANNERS.items() if scanner.training and scanner.tilt_deg == 0)
    scanner = SCANNERS[names[int(stream(seed, "reading set").integers(len(names)))]]
    grid = native_grid(patient, scanner)
    return Volume(render_ncct(scene_of(patient), grid, scanner, seed)[0], grid.affine)


def _png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    matplotlib.image.imsave(file, picture, cmap="gray", vmin=0, vmax=255, format="png", metadata=NO_METADATA)
    return file.getvalue()


def write_reading_set(out: Path, real: Path, seed: int) -> int:
    """Write a pair for each NIfTI file of a folder; returns how many. `key.csv` says which of each pair is real."""
    files = sorted(path for path in real.iterdir() if path.name.endswith((".nii", ".nii.gz")))
    if not files:
        raise InputError(
            "There are no real scans.",
            expected="a folder with .nii or .nii.gz files",
            got="none of them",
            hint="Give the folder with --real.",
            code="no_scans",
        )
    rng = stream(seed, "reading order")
    keys = []
    for number, position in enumerate(rng.permutation(len(files)), start=1):
        height = float(rng.uniform(*HEIGHT))
        heads = {"real": read_nifti(files[position]), "digital": digital_head(seed + number)}
        coarse_mm = max(PIXEL_MM, *(float(nearest_ras(head).spacing[:2].max()) for head in heads.values()))
        pictures = {kind: slice_of(head, height, coarse_mm) for kind, head in heads.items()}
        letters = dict(zip(rng.permutation(["real", "digital"]), "ab", strict=True))
        for kind, picture in pictures.items():
            atomic.write_bytes(out / f"pair-{number:03d}-{letters[kind]}.png", _png(picture))
        keys.append((f"pair-{number:03d}", letters["real"], files[position].name, seed + number))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("pair", "real", "file", "seed"), *keys])
    atomic.write_bytes(out / "key.csv", text.getvalue().encode())
    return len(files)


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder that receives pictures and key.csv.")],
    real: Annotated[Path, typer.Option(help="Folder of real head NCCT as NIfTI.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of order and digital patients.")] = 6_500_000,
) -> None:
    """Prepare a two-choice reading: at most 60 % right is the aim (inserted lesions reached 51 % [Chen])."""
    try:
        count = write_reading_set(out, real, seed)
    except InputError as error:
        typer.echo(f"perfusynth: [{error.code}] {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{count} pairs in {out}; keep key.csv from the reader.")


if __name__ == "__main__":
    typer.run(command)
