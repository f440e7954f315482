"""Write one digital patient as a case folder: every modality from one scene, each on its own grid."""

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth.errors import InputError
from perfusynth.phantom.case import truth
from perfusynth.phantom.case.content import content_of, is_complete, ml, tmax_volumes_ml
from perfusynth.phantom.case.files import write_series, write_volume
from perfusynth.phantom.case.grids import PlacedGrid, grids_of
from perfusynth.phantom.case.modalities import DEFAULT_MODALITIES, MEASURED, MODALITIES, THIN
from perfusynth.phantom.case.settings import Settings, plain_matrix, settings_of
from perfusynth.phantom.case.thin_pair import write_thin_pair
from perfusynth.phantom.ct.cta import render_cta
from perfusynth.phantom.ct.misregistration import draw_misregistration
from perfusynth.phantom.ct.ncct import noise_free_ncct, render_ncct
from perfusynth.phantom.ct.scanners import CTA_PROTOCOL, Scanner
from perfusynth.phantom.ctp.frames import render_series
from perfusynth.phantom.ctp.maps import MeasuredMaps, measured_maps
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.mr.dwi import render_adc, render_dwi
from perfusynth.phantom.mr.flair import render_flair
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.scene import scene_of
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.volumes.case_file import CASE_FILE, write_case_file
from perfusynth.volumes.fingerprint import voxel_sha256
from perfusynth.volumes.volume import Volume

#: Says that a folder without ``case.json`` is one whose making was stopped.
UNFINISHED = ".unfinished-phantom-case"


def write_case(
    folder: Path,
    seed: int,
    scanner: Scanner,
    *,
    modalities: Iterable[str] = DEFAULT_MODALITIES,
    grids: Mapping[str, str] | None = None,
    protocol: str | None = None,
    misregistration: float = 1.0,
    motion: bool = True,
    anatomy: str = "mni152",
    lesions: str = "simulated",
    finding: str = "none",
    sign_of: Callable[[Patient], Mapping[str, bool]] | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Path:
    """Write patient ``seed`` as a case folder; returns ``folder``.

    Files appear by rename, ``case.json`` last: a folder with a ``case.json`` is complete, and is left as it is when
    it was made with the same settings. One that was stopped halfway is made anew.

    Parameters
    ----------
    scanner
        Of the NCCT.
    modalities
        Names of `modalities.MODALITIES`, or ``thin``.
    grids
        Modality -> ``native``, ``model``, ``XxYxZ`` (voxels over the same field of view) or another modality.
    protocol
        Name of the CTP protocol; None draws one from the seed.
    misregistration
        Factor on the motion of the head between NCCT (and CTA) and CTP; 0: none.
    motion
        Whether the head moves during the CTP.
    anatomy, finding
        As of `head.traits`.
    lesions
        ``simulated``, or ``real``: the shape of a real infarct (public data).
    sign_of
        Tells whether an NCCT of the patient shows the clot and the infarct (block ``sign``); None: not told.

    Raises
    ------
    InputError
        A setting is unknown (see `settings_of`), or the folder holds something else (``other_case``, ``exists``).
    """
    folder = Path(folder)
    settings = settings_of(
        seed, scanner, modalities, grids, protocol, misregistration, motion, anatomy, lesions, finding
    )
    if is_complete(folder, settings):
        return folder
    _start(folder)
    _Case(folder, settings, sign_of).write(on_progress)
    (folder / UNFINISHED).unlink()
    return folder


def _start(folder: Path) -> None:
    """Make the folder, or take away what a stopped making left in it."""
    if (folder / UNFINISHED).exists():
        shutil.rmtree(folder)
    elif folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"{folder} holds other files.",
            expected="an empty folder, or a case made with the same settings",
            got=f"a folder without {CASE_FILE}",
            hint="Choose another folder with --out.",
            code="exists",
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / UNFINISHED).touch()


class _Case:
    """One case while it is made: only one volume (of a CTP: its series) is in memory at a time."""

    def __init__(self, folder: Path, settings: Settings, sign_of: Callable[[Patient], Mapping[str, bool]] | None):
        self.folder, self.settings, self.seed = folder, settings, settings.seed
        self.scene = scene_of(settings.patient())
        self.fixed_to_moving = draw_misregistration(settings.seed, settings.misregistration)
        self.grids = grids_of(
            self.scene.patient, settings.scanner, settings.protocol, self.fixed_to_moving, dict(settings.grids)
        )
        self.volumes_ml: dict[str, float] = {}
        self.found: dict[str, Any] = {
            "fixed_to_moving": plain_matrix(self.fixed_to_moving),
            "sign": None if sign_of is None else dict(sign_of(self.scene.patient)),
        }
        self._measured: tuple[PlacedGrid, MeasuredMaps] | None = None

    def write(self, on_progress: OnProgress) -> None:
        wanted = self.settings.modalities
        steps = [*wanted, "truth"] if any(name in wanted for name in ("ctp", *MEASURED)) else list(wanted)
        writers: dict[str, Callable[[str], None]] = {
            **dict.fromkeys(MEASURED, self._write_measured),
            "ncct": self._write_ncct,
            "brain": self._write_brain,
            "cta": self._write_cta,
            "ctp": self._write_ctp,
            "core": self._write_core,
            "dwi": self._write_dwi,
            "adc": self._write_adc,
            "flair": self._write_flair,
        }
        written = {}
        for done, name in enumerate(steps):
            on_progress(name, done / len(steps))
            if name == "truth":
                self._write_truth()
            elif name == THIN:
                self.found[THIN] = write_thin_pair(
                    self.folder / THIN, self.scene, self.settings.scanner, self.fixed_to_moving, self.seed
                )
            else:
                writers[name](name)
                written[name] = self._described(name)
        on_progress("done", 1.0)
        self.found |= {
            "modalities": written,
            "volumes_ml": self.volumes_ml,
            "noise_seeds": dict.fromkeys(wanted, self.seed),
        }
        write_case_file(self.folder, content_of(self.settings, self.found))

    def _described(self, name: str) -> dict[str, Any]:
        placed = self.grids[name]
        return {
            "holds": MODALITIES[name].holds,
            "frame": placed.frame,
            "shape": list(placed.grid.shape),
            "affine": plain_matrix(placed.grid.affine),
            "slab_mm": placed.grid.slab_mm,
        }

    def _in_head(self, name: str) -> Grid:
        return self.grids[name].in_head(self.fixed_to_moving)

    def _save(self, name: str, array: np.ndarray) -> Volume:
        modality = MODALITIES[name]
        return write_volume(
            self.folder / f"{name}.nii.gz", array, self.grids[name].grid, modality.dtype, modality.holds
        )

    def _write_ncct(self, name: str) -> None:
        hu, brain = render_ncct(self.scene, self._in_head(name), self.settings.scanner, self.seed)
        self.found["ncct_sha256"] = voxel_sha256(self._save(name, hu))
        if "brain" in self.settings.modalities and self.grids["brain"] is self.grids["ncct"]:
            self._save_brain(brain)

    def _save_brain(self, brain: np.ndarray) -> None:
        self._save("brain", brain)
        self.volumes_ml["brain"] = ml(brain, self.grids["brain"].grid)

    def _write_brain(self, name: str) -> None:
        if not (self.folder / "brain.nii.gz").exists():  # else it came with the NCCT
            self._save_brain(noise_free_ncct(self.scene, self._in_head(name), self.settings.scanner)[1])

    def _write_cta(self, name: str) -> None:
        self._save(name, render_cta(self.scene, self._in_head(name), CTA_PROTOCOL, self.seed)[0])

    def _write_ctp(self, name: str) -> None:
        modality, placed = MODALITIES[name], self.grids[name]
        series = render_series(self.scene, self.settings.protocol, self.seed)
        frames = (series.hu[..., k] for k in range(len(series.times_s)))
        path, step_s = self.folder / f"{name}.nii.gz", self.settings.protocol.frame_s
        write_series(path, frames, len(series.times_s), step_s, placed.grid, modality.holds)
        self.found["ctp"] = {
            "times_s": [float(t) for t in series.times_s],
            "motion": series.motion,
            "head_to_frame": [plain_matrix(transform) for transform in series.transforms],
        }

    def _write_measured(self, name: str) -> None:
        placed = self.grids[name]
        if self._measured is None or self._measured[0] is not placed:
            maps = measured_maps(self.scene, self._in_head(name), self.settings.protocol, self.seed)
            self._measured = placed, maps
        values = getattr(self._measured[1], name)
        self._save(name, values)
        if name == "tmax":
            self.volumes_ml |= tmax_volumes_ml(values, placed.grid)

    def _write_core(self, name: str) -> None:
        self._measured = None  # the maps are done with
        share = truth.on_grid(self.scene, self._in_head(name), {"core": self.scene.infarct})["core"]
        self._save(name, share > truth.CORE_SHARE)
        self.volumes_ml["core"] = ml(share > truth.CORE_SHARE, self.grids[name].grid)

    def _write_dwi(self, name: str) -> None:
        self._save(name, render_dwi(self.scene, self._in_head(name), self.seed))

    def _write_adc(self, name: str) -> None:
        self._save(name, render_adc(self.scene, self._in_head(name), self.seed))

    def _write_flair(self, name: str) -> None:
        self._save(name, render_flair(self.scene, self._in_head(name), self.seed))

    def _write_truth(self) -> None:
        grid = self._in_head("tmax")
        self.found["truth_volumes_ml"] = truth.write_truth(
            self.folder / "truth", self.scene, grid, self.grids["tmax"].grid
        )
