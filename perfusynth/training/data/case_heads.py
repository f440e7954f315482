"""Heads of case folders: NCCT and maps, each on its own grid, brought together on the model grid of the NCCT."""

from pathlib import Path

import numpy as np

from perfusynth.errors import InputError
from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.training.data.maps_to_grid import bring_to_grid
from perfusynth.training.heads import Head
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.case_registration import ERROR_PROBABILITY_MAX, left_out, read_registration
from perfusynth.volumes.geometry import is_orthogonal
from perfusynth.volumes.model_grid import BRAIN_SHARE, ModelGrid, map_to_grid
from perfusynth.volumes.nifti import read_nifti
from perfusynth.volumes.regrid import straighten
from perfusynth.volumes.volume import Volume

#: Share of a model-grid voxel that must be brain, or measured, for it to count.
COUNTED_SHARE = 0.5
#: Share of the brain that the maps must cover: less (a wrong registration, another patient's maps) teaches nothing. A
#: study of 40 mm covers a quarter of it. [d]
COVERED_MIN = 0.1
#: Largest values that are taken for a map in its unit: Tmax in ms or CBF in other units lie far above. [d]
LARGEST = {"tmax": 120.0, "mtt": 120.0, "cbf": 1000.0, "cbv": 200.0}


def case_folders(data: Path) -> list[Path]:
    """The folders in ``data``, by name; what begins with a dot belongs to programs and is no case.

    Raises
    ------
    InputError
        Code ``no_cases``.
    """
    inside = data.iterdir() if data.is_dir() else ()
    found = sorted(path for path in inside if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise InputError(
            "There are no cases.",
            expected="a folder of case folders with ncct.nii.gz, maps and case.json each",
            got="one without folders" if data.is_dir() else "no folder",
            hint="docs/architecture.md says what a case folder holds.",
            code="no_cases",
        )
    return found


def read_case(folder: Path, spec: GeneratorSpec, registration_error_max: float = ERROR_PROBABILITY_MAX) -> Head:
    """Read one case folder by the registration that is in force: the annotators' last word, else a sure automatic one.

    Its first input is the NCCT; its maps, `GeneratorSpec.measured`, are read as they are. The brain is
    ``brain.nii.gz`` on the NCCT's grid, or else found in the NCCT. What the perfusion study did not cover
    (``valid.nii.gz``, and voxels that are 0 in every map) is not valid. ``core.nii.gz`` is read where there is one.

    Parameters
    ----------
    registration_error_max
        An automatic registration that no annotator has looked at is taken up to this probability of an error over 2 mm.

    Raises
    ------
    InputError
        Something is missing or broken, maps and head do not meet, or the registration is not to be relied on (code
        ``registration``).
    """
    moving_to_fixed = np.linalg.inv(_fixed_to_moving(folder, registration_error_max))
    scan, maps = spec.inputs[0].name, spec.measured
    ncct, brain = _head_of(folder, scan)
    grid = spec.grid
    mapping = map_to_grid(ncct, brain.array > 0, ModelGrid(grid.size, grid.spacing_mm, grid.slab_mm))
    image, brain_share = mapping.head_to_model(brain.array)
    inside, volumes = brain_share >= BRAIN_SHARE, {scan: image}
    valid = np.ones(mapping.shape, dtype=bool)
    for names, measured in _by_grid({name: _map(folder, name) for name in maps}):
        arrays, share = bring_to_grid(list(names.values()), measured, mapping.shape, mapping.affine, moving_to_fixed)
        volumes |= dict(zip(names, arrays, strict=True))
        valid &= share >= COUNTED_SHARE

    def masked(name: str) -> np.ndarray | None:
        """Where a mask of the study says yes, None where the case has none of that name."""
        if not (folder / f"{name}.nii.gz").exists():
            return None
        mask = read_nifti(folder / f"{name}.nii.gz")
        everywhere = mask.with_array(np.ones(mask.shape))
        (share,), _ = bring_to_grid([mask], everywhere, mapping.shape, mapping.affine, moving_to_fixed)
        return share >= COUNTED_SHARE

    covered, core = masked("valid"), masked("core")
    valid = valid if covered is None else valid & covered
    if (valid & inside).sum() < COVERED_MIN * inside.sum():
        raise _refused(
            "The maps hardly meet the brain.",
            f"maps over at least {COVERED_MIN:.0%} of the brain",
            f"{(valid & inside).sum() / max(1, inside.sum()):.1%}",
            "not_covered",
        )
    volumes |= {name: volumes[name] * valid for name in maps}
    if core is not None:
        volumes["core"] = (core & valid).astype(np.float32)
    return Head(folder.name, volumes, inside, valid)


def _head_of(folder: Path, scan: str) -> tuple[Volume, Volume]:
    """NCCT and brain (1 inside) on one orthogonal grid."""
    ncct = _file(folder, scan)
    if (folder / "brain.nii.gz").exists():
        brain = read_nifti(folder / "brain.nii.gz")
        if brain.shape != ncct.shape or not np.allclose(brain.affine, ncct.affine, atol=1e-3):
            raise _refused(
                "The brain mask lies on another grid than the NCCT.", str(ncct.shape), str(brain.shape), "bad_mask"
            )
        if not is_orthogonal(ncct.affine):
            ncct, brain = straighten(ncct), straighten(brain)
        brain = brain.with_array(brain.array >= COUNTED_SHARE)
    else:
        ncct = ncct if is_orthogonal(ncct.affine) else straighten(ncct)
        brain = ncct.with_array(BuiltinBrain().extract(ncct).mask)
    if not brain.array.any():
        raise _refused("The brain mask is empty.", "a mask with voxels", "none", "bad_mask")
    return ncct, brain


def _file(folder: Path, name: str) -> Volume:
    path = folder / f"{name}.nii.gz"
    if not path.exists():
        raise _refused("A file is missing.", path.name, "no such file", "missing_file")
    return read_nifti(path)


def _map(folder: Path, name: str) -> Volume:
    volume = _file(folder, name)
    largest = float(volume.array.max())
    if not 0 < largest <= LARGEST.get(name, np.inf):
        raise _refused(
            f"{name} is not in its unit.",
            f"a largest value up to {LARGEST.get(name, np.inf):g}",
            f"{largest:g}",
            "bad_map",
        )
    return volume


def _by_grid(maps: dict[str, Volume]) -> list[tuple[dict[str, Volume], Volume]]:
    """Maps that share a grid, and where (1, else 0) at least one of them is not 0: vendors write 0 where they have
    no measurement."""
    groups: list[dict[str, Volume]] = []
    for name, volume in maps.items():
        for group in groups:
            first = next(iter(group.values()))
            if first.shape == volume.shape and np.allclose(first.affine, volume.affine, atol=1e-3):
                group[name] = volume
                break
        else:
            groups.append({name: volume})
    return [
        (group, next(iter(group.values())).with_array(np.any([volume.array != 0 for volume in group.values()], axis=0)))
        for group in groups
    ]


def _fixed_to_moving(folder: Path, registration_error_max: float) -> np.ndarray:
    """4x4, RAS mm, of a registration that may be relied on."""
    registration = read_registration(folder)
    reason = left_out(registration, registration_error_max)
    if reason is not None:
        raise InputError(
            "The registration is not to be relied on.",
            expected="an annotator's word, or an automatic one that is sure enough",
            got=reason,
            hint="Look at the case in 3D Slicer (docs/slicer_registration.md).",
            code="registration",
        )
    return registration.fixed_to_moving


def _refused(error: str, expected: str, got: str, code: str) -> InputError:
    return InputError(error, expected=expected, got=got, hint="Mend the case, or take it away.", code=code)
