"""Case folders of digital patients whose registration is wrong at first and then corrected."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from perfusynth.phantom.drawn import CaseOfSeed
from perfusynth.phantom.lattice import stream
from perfusynth.registration.rigid_motion import about
from perfusynth.registration.transform_file import transform_bytes
from perfusynth.volumes.case_file import CASE_FILE, write_case_file
from perfusynth.volumes.case_registration import CaseRegistration, keep_registration, read_registration
from perfusynth.volumes.nifti import write_nifti
from perfusynth.volumes.volume import Volume

#: Least and largest turn, degrees, and shift, mm, by which a registration is wrong; what an annotator leaves. All in
#: random directions; the first is what a failed registration does, the second what readers accept. [d]
WRONG_DEG, WRONG_MM = (4.0, 8.0), (5.0, 10.0)
LEFT_DEG, LEFT_MM = (0.0, 0.5), (0.0, 0.5)
#: Volumes that are written, and their types on disk.
WRITTEN = {"ncct": np.int16, "brain": np.uint8, "tmax": np.float32, "cbf": np.float32}


def write_misregistered(folder: Path, seed: int, drawn: CaseOfSeed) -> None:
    """Write a patient on the model grid; the registration is wrong, and says that it is sure.

    Maps and NCCT lie on one grid: the true ``fixed_to_moving`` is the identity.
    """
    if (folder / CASE_FILE).exists():
        return
    case = drawn(seed)
    for name, dtype in WRITTEN.items():
        array = case.volumes[name]
        array = np.rint(array) if dtype is np.int16 else array
        write_nifti(folder / f"{name}.nii.gz", Volume(array, case.affine), dtype=dtype)
    wrong = _motion(seed, "wrong registration", WRONG_DEG, WRONG_MM, _centre(case.volumes["brain"], case.affine))
    block = CaseRegistration(wrong, "automatic", probability_over_2mm=0.01).as_dict()
    write_case_file(folder, {"kind": "phantom", "seed": seed, "fixed_to_moving": wrong.tolist(), "registration": block})


def correct(folder: Path, seed: int) -> None:
    """What an annotator does: the truth but for what readers accept; the wrong one stays in the history."""
    if read_registration(folder).verdict is not None:
        return
    right = _motion(seed, "corrected registration", LEFT_DEG, LEFT_MM, np.zeros(3))
    corrected = CaseRegistration(right, "annotator", verdict="corrected", author="a simulated annotator")
    keep_registration(folder, corrected, transform_bytes(right, np.zeros(3)))


def _motion(
    seed: int, name: str, degrees: tuple[float, float], mm: tuple[float, float], centre: np.ndarray
) -> np.ndarray:
    rng = stream(seed, name)
    axis, direction = (vector / np.linalg.norm(vector) for vector in rng.standard_normal((2, 3)))
    turn = Rotation.from_rotvec(rng.uniform(*degrees) * axis, degrees=True).as_matrix()
    return about(turn, centre, rng.uniform(*mm) * direction)


def _centre(brain: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return np.argwhere(brain > 0).mean(axis=0) @ affine[:3, :3].T + affine[:3, 3]
