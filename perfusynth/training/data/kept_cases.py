"""Case folders read once and kept on the model grid: reading one anew takes seconds, as long as training on it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
#: Which heads a run began with, and why others were left out.
LIST_FILE = "heads.json"


class KeptCases:
    """A `HeadSource` over the heads that `keep_all` has kept: what becomes of their case folders meanwhile, an
    annotator's verdict above all, counts in the next run.

    Parameters
    ----------
    kept
        File of each head by the name of its case, in order.
    """

    def __init__(self, kept: Mapping[str, Path]):
        self._kept = dict(kept)
        self._names = list(self._kept)

    @property
    def names(self) -> list[str]:
        """The folders' names."""
        return self._names

    def __len__(self) -> int:
        return len(self._names)

    def __call__(self, index: int) -> Head:
        """The patient of that number."""
        name = self._names[index]
        return _read(self._kept[name], name)


def keep_all(
    data: Path,
    spec: GeneratorSpec,
    kept: Path,
    on_progress: OnProgress,
    registration_error_max: float = ERROR_PROBABILITY_MAX,
) -> tuple[dict[str, Path], dict[str, str]]:
    """Read every case folder once; a case whose files or registration have changed since it was kept is read anew.

    Parameters
    ----------
    data
        Folder of the case folders.
    spec
        Grid, inputs and maps.
    kept
        Folder in which heads are kept.
    registration_error_max
        As of `read_case`.

    Returns
    -------
    The kept file of each case that can be used, by name, and the reason of each that cannot.
    """
    folders = case_folders(data)
    good, left_out = {}, {}
    for index, folder in enumerate(folders):
        on_progress(f"read cases, {index + 1} of {len(folders)}", index / len(folders))
        path = kept / f"{_key(folder, spec, registration_error_max)}.npz"
        try:
            if not path.exists():
                _keep(read_case(folder, spec, registration_error_max), path)
            good[folder.name] = path
        except InputError as error:
            left_out[folder.name] = f"{error.code}: {error}"
    on_progress("read cases", 1.0)
    content = {
        "made_of": _made_of(data, spec, registration_error_max),
        "kept": {name: path.name for name, path in good.items()},
        "left_out": left_out,
    }
    atomic.write_bytes(kept / LIST_FILE, (json.dumps(content, indent=1) + "\n").encode())
    return good, left_out


def kept_before(
    data: Path, spec: GeneratorSpec, kept: Path, registration_error_max: float = ERROR_PROBABILITY_MAX
) -> tuple[dict[str, Path], dict[str, str]] | None:
    """What `keep_all` returned to a run that has begun; None where it was asked otherwise, or files are gone."""
    try:
        content = json.loads((kept / LIST_FILE).read_text(encoding="utf-8"))
        good = {name: kept / file for name, file in content["kept"].items()}
        left_out, made_of = dict(content["left_out"]), content["made_of"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    same = made_of == _made_of(data, spec, registration_error_max)
    return (good, left_out) if same and all(path.exists() for path in good.values()) else None


def _made_of(data: Path, spec: GeneratorSpec, registration_error_max: float) -> list[Any]:
    """What decides which heads are kept, but for the case folders' own content; plain JSON values."""
    return [str(data.resolve()), spec.grid.model_dump(mode="json"), _files_read(spec), registration_error_max]


def _files_read(spec: GeneratorSpec) -> list[str]:
    return sorted({*(i.name for i in spec.inputs), *spec.measured, "brain", "valid", "core"})


def _key(folder: Path, spec: GeneratorSpec, registration_error_max: float) -> str:
    """Changes with the case's files and with what is made of them."""
    read = _files_read(spec)
    files = [folder / "case.json", *(folder / f"{name}.nii.gz" for name in read)]
    states = [(f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in files if f.exists()]
    told = json.dumps([folder.name, states, spec.grid.model_dump(), read, registration_error_max])
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
