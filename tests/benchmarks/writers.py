"""Writing one float map: ours, nibabel's and MONAI Label's."""

import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

from perfusynth.volumes.nifti import write_nifti
from perfusynth.volumes.volume import Volume
from tests.benchmarks.figure import Figure
from tests.benchmarks.maps import maps, whole_image
from tests.benchmarks.plan import Plan
from tests.benchmarks.timing import medians

ROW = "writers"
AFFINE = np.diag([0.488, 0.488, 5.0, 1.0])


def measure(folder: Path, plan: Plan) -> list[Figure]:
    """Seconds and size for a map with a brain in it, and for one without a zero.

    Parameters
    ----------
    folder
        Empty; the files are left in it.
    plan
        Shape and repetitions.
    """
    figures = []
    for write in _OTHERS.values():  # ITK takes seconds to load
        write(folder / "first.nii.gz", maps((8, 8, 8))["tmax"])
    for kind, array in (("brain map", maps(plan.shape)["tmax"]), ("map without zeros", whole_image(plan.shape))):
        files = {name: folder / f"{number}.nii.gz" for number, name in enumerate(("ours", *_OTHERS))}
        calls: dict[str, Callable[[], object]] = {"ours": lambda: write_nifti(files["ours"], Volume(array, AFFINE))}  # noqa: B023
        for name, write in _OTHERS.items():
            calls[name] = lambda write=write, name=name: write(files[name], array)  # type: ignore[misc]  # noqa: B023
        taken = medians(calls, plan.repeats)
        sizes = {name: path.stat().st_size / 1e6 for name, path in files.items()}
        for name in _OTHERS:
            figures.append(Figure(ROW, f"{kind}: time", taken["ours"], "s", plan.repeats, name, taken[name]))
            figures.append(Figure(ROW, f"{kind}: size", sizes["ours"], "MB", 1, name, sizes[name]))
    return figures


def _nibabel(path: Path, array: np.ndarray) -> None:
    nib.save(nib.Nifti1Image(array, AFFINE), path)


def _gzipped(level: int) -> Callable[[Path, np.ndarray], None]:
    def write(path: Path, array: np.ndarray) -> None:
        path.write_bytes(gzip.compress(nib.Nifti1Image(array, AFFINE).to_bytes(), level))

    return write


def _stock(path: Path, array: np.ndarray) -> None:
    from monailabel.transform.writer import Writer

    data = {"pred": array, "pred_meta_dict": {"affine": AFFINE}, "image_path": "x.nii.gz"}
    written, _ = Writer()(data)
    Path(written).replace(path)


#: Name to function of path and array.
_OTHERS: dict[str, Callable[[Path, np.ndarray], None]] = {
    "nibabel as it comes (level 1)": _nibabel,
    "gzip level 6": _gzipped(6),
    "gzip level 9": _gzipped(9),
    "MONAI Label's Writer (ITK)": _stock,
}
