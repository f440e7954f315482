"""Case folders read once and kept on the model grid: reading one anew takes seconds, as long as training on it."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perfusynth import atomic
from perfusynth.errors import InputError
from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.progress import OnProgress
from perfusynth.training.data.case_heads import case_folders, read_case
from perfusynth.training.heads import Head
from perfusynth.volumes.case_registration import ERROR_PROBABILITY_MAX

#: Digits of a kept head's name.
KEY_DIGITS = 24


class KeptCases:
    """A `HeadSource` over case folders by name; ``keep_all`` has read them before.

    Parameters
    ----------
    data
        Folder of the case folders.
    names
        Which of them, in order.
    spec
        Grid, inputs and maps.
    kept
        Folder in which heads are kept; a case whose files or registration have changed is read anew.
    registration_error_max
        As of `read_case`.
    """

    def __init__(
        self,
        data: Path,
        names: Sequence[str],
        spec: GeneratorSpec,
        kept: Path,
        registration_error_max: float = ERROR_PROBABILITY_MAX,
    ):
        self._data, self._names, self._spec, self._kept = data, list(names), spec, kept
        self._registration_error_max = registration_error_max

    @property
    def names(self) -> list[str]:
        """The folders' names."""
        return self._names

    def __len__(self) -> int:
        return len(self._names)

    def __call__(self, index: int) -> Head:
        """The patient of that number."""
        folder = self._data / self._names[index]
        path = self._kept / f"{_key(folder, self._spec, self._registration_error_max)}.npz"
        if not path.exists():
            _keep(read_case(folder, self._spec, self._registration_error_max), path)
        return _read(path, folder.name)


def keep_all(
    data: Path,
    spec: GeneratorSpec,
    kept: Path,
    on_progress: OnProgress,
    registration_error_max: float = ERROR_PROBABILITY_MAX,
) -> tuple[list[str], dict[str, str]]:
    """Read every case folder once.

    Returns
    -------
    Names of those that can be used, and the reason of each that cannot.
    """
    folders = case_folders(data)
    good, left_out = [], {}
    cases = KeptCases(data, [folder.name for folder in folders], spec, kept, registration_error_max)
    for index, folder in enumerate(folders):
        on_progress(f"read cases, {index + 1} of {len(folders)}", index / len(folders))
        try:
            cases(index)
            good.append(folder.name)
        except InputError as error:
            left_out[folder.name] = f"{error.code}: {error}"
    on_progress("read cases", 1.0)
    return good, left_out


def _key(folder: Path, spec: GeneratorSpec, registration_error_max: float) -> str:
    """Changes with the case's files and with what is made of them."""
    read = {*(i.name for i in spec.inputs), *spec.measured, "brain", "valid", "core"}
    files = [folder / "case.json", *(folder / f"{name}.nii.gz" for name in sorted(read))]
    states = [(f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in files if f.exists()]
    told = json.dumps([folder.name, states, spec.grid.model_dump(), sorted(read), registration_error_max])
    return hashlib.sha256(told.encode()).hexdigest()[:KEY_DIGITS]


def _keep(head: Head, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as file:
        # float16: 0.03 HU, 0.008 s, 0.06 mL/100 g/min at the values of tissue.
        volumes = {f"volume_{name}": array.astype(np.float16) for name, array in head.volumes.items()}
        masks = {"brain": np.packbits(head.brain), "valid": np.packbits(head.valid)}
        np.savez(file, shape=np.array(head.brain.shape), **masks, **volumes)


def _read(path: Path, name: str) -> Head:
    with np.load(path) as kept:
        shape = tuple(int(n) for n in kept["shape"])
        brain, valid = (
            np.unpackbits(kept[mask], count=int(np.prod(shape))).reshape(shape).view(bool)
            for mask in ("brain", "valid")
        )
        volumes = {
            key.removeprefix("volume_"): kept[key].astype(np.float32) for key in kept.files if key.startswith("volume_")
        }
    return Head(name, volumes, brain, valid)
