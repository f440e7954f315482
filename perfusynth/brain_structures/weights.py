"""TotalSegmentator's models on disk: are they there, whole, and the ones that were agreed on?

They are looked for before the program starts: without them it would try to download, and end in a network's traceback.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from perfusynth.brain_structures.settings import Resolution
from perfusynth.errors import InputError

#: Where `totalseg_download_weights` puts models when no other place is set.
DEFAULT_FOLDER: Final = Path("~/.totalsegmentator/nnunet/results")
#: Models by resolution, ``<data set>/<trainer>``: those of the task ``total`` that version 2.18 looks for, and the
#: 6 mm one that finds the rough place first. It asks for all five parts at 1.5 mm, and runs the one with the brain.
_COARSE_TRAINER = "nnUNetTrainer_4000epochs_NoMirroring__nnUNetPlans__3d_fullres"
_FINE_TRAINER = "nnUNetTrainerNoMirroring__nnUNetPlans__3d_fullres"
_ROUGH = f"Dataset298_TotalSegmentator_total_6mm_1559subj/{_COARSE_TRAINER}"
MODELS: Final[dict[Resolution, tuple[str, ...]]] = {
    "3mm": (f"Dataset297_TotalSegmentator_total_3mm_1559subj/{_COARSE_TRAINER}", _ROUGH),
    "1.5mm": (
        f"Dataset291_TotalSegmentator_part1_organs_1559subj/{_FINE_TRAINER}",
        f"Dataset292_TotalSegmentator_part2_vertebrae_1532subj/{_FINE_TRAINER}",
        f"Dataset293_TotalSegmentator_part3_cardiac_1559subj/{_FINE_TRAINER}",
        f"Dataset294_TotalSegmentator_part4_muscles_1559subj/{_FINE_TRAINER}",
        f"Dataset295_TotalSegmentator_part5_ribs_1559subj/{_FINE_TRAINER}",
        _ROUGH,
    ),
}
#: What the program's downloader calls the models of a resolution.
DOWNLOAD_NAMES: Final[dict[Resolution, str]] = {"3mm": "total_fast", "1.5mm": "total"}
FILES: Final = ("plans.json", "dataset.json", "fold_0/checkpoint_final.pth")

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Weights:
    """Models that are there and whole.

    Parameters
    ----------
    folder
        Where they lie.
    resolution
        What they are for.
    files
        SHA-256 (hex) by path below ``folder``.
    """

    folder: Path
    resolution: Resolution
    files: dict[str, str]

    @property
    def sha256(self) -> str:
        """One hash for all: SHA-256 over the lines ``<sha256>  <path>``, sorted by path, that sha256sum writes."""
        lines = "".join(f"{self.files[path]}  {path}\n" for path in sorted(self.files))
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def data_sets(self) -> tuple[str, ...]:
        """Names of the folders right below ``folder`` that belong to it."""
        return tuple(model.split("/")[0] for model in MODELS[self.resolution])


def find_weights(folder: Path | None, resolution: Resolution, sha256: str | None = None) -> Weights:
    """Look for a resolution's models.

    Parameters
    ----------
    folder
        Where; None: `DEFAULT_FOLDER`.
    sha256
        `Weights.sha256` that they must have; None: any.

    Raises
    ------
    InputError
        Codes ``no_totalsegmentator_weights``: a file is missing or empty; ``other_weights``: another hash.
    """
    place = (folder or DEFAULT_FOLDER).expanduser()
    paths = [f"{model}/{file}" for model in MODELS[resolution] for file in FILES]
    missing = [path for path in paths if not _is_filled(place / path)]
    if missing:
        raise InputError(
            f"TotalSegmentator's models for {resolution} are not there.",
            expected=f"in {'PERFUSYNTH_TOTALSEGMENTATOR_WEIGHTS' if folder else DEFAULT_FOLDER} {len(paths)} files, "
            f"among them {missing[0]}",
            got=f"{len(paths) - len(missing)} of them",
            hint=f"Download them once with `totalseg_download_weights -t {DOWNLOAD_NAMES[resolution]}` (docs/brain.md; "
            "offline: copy the folder), and set PERFUSYNTH_TOTALSEGMENTATOR_WEIGHTS to their folder.",
            code="no_totalsegmentator_weights",
        )
    found = Weights(place.resolve(), resolution, {path: _sha256(place / path) for path in paths})
    if sha256 is not None and found.sha256 != sha256:
        raise InputError(
            "TotalSegmentator's models are not the ones that were agreed on.",
            expected=f"SHA-256 {sha256}",
            got=found.sha256,
            hint="Checkpoints can execute code: put the right ones back, or change PERFUSYNTH_TOTALSEGMENTATOR_SHA256.",
            code="other_weights",
        )
    return found


def _is_filled(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _sha256(path: Path) -> str:
    status = path.stat()
    return _sha256_of(path, status.st_mtime_ns, status.st_size, status.st_ino)


@lru_cache(maxsize=64)
def _sha256_of(path: Path, *_changes: int) -> str:
    """Of the file as it is while its time, size and inode stay: a server does not read them again for each job."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
