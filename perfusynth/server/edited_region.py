"""A region that a reader has edited, sent back as a label of the image that it was synthesised from.

It is checked against that image and written anew on the image's own grid, so that nothing of the upload's header
(names, comments of other programs) is kept and the stored label fits its image to the bit.
"""

import threading
from pathlib import Path
from typing import Any, Final

import numpy as np

from perfusynth.errors import InputError
from perfusynth.perfusion.notices import SYNTHETIC
from perfusynth.readers.read import content_of, read_scan
from perfusynth.volumes.geometry import corners
from perfusynth.volumes.nifti import write_nifti
from perfusynth.volumes.volume import Volume

#: Tag under which such labels are kept; other tags are not looked into.
EDITED_TAG: Final = "hypoperfusion-edited"
#: How far the corners of label and image may lie apart, mm: headers in single precision round by 1e-4 mm, and a label
#: that is a fifth of the finest voxel of a CT (0.25 mm) off is on another grid. [d]
GRID_TOLERANCE_MM: Final = 0.05
#: More than any brain holds, mL: the mask of everything else was sent. The largest adult intracranial volumes are
#: near 2000 mL. [d]
LARGEST_ML: Final = 2000.0

#: Two whole volumes are in memory meanwhile, in the server's own process: one label at a time.
_one_at_a_time = threading.Lock()


def rewrite_edited_region(label: Path, image: Path, target: Path) -> dict[str, Any]:
    """Check a label and write it as ``target`` (``.nii.gz``, uint8, 1 in the region), blocking.

    Parameters
    ----------
    label
        What was sent: NIfTI or NRRD.
    image
        The NCCT that it belongs to.
    target
        Where to write.

    Returns
    -------
    What it holds: ``voxels`` and ``ml``; an empty region is one too.

    Raises
    ------
    InputError
        It is no mask of 0 and 1, or not on the grid of the image's maps.
    """
    if content_of(label) not in ("nifti", "nrrd"):
        raise _refused("a NIfTI or NRRD volume", "another kind of file", "unknown_format")
    with _one_at_a_time:
        return _rewrite(label, image, target)


def _rewrite(label: Path, image: Path, target: Path) -> dict[str, Any]:
    sent, grid = read_scan(label), read_scan(image).volume
    if sent.resampled:
        raise _refused("the even orthogonal grid of the maps", "an uneven or sheared grid", "other_grid")
    _check_grid(sent.volume, grid)
    region = sent.volume.array
    if not ((region == 0) | (region == 1)).all():
        raise _refused("voxels of 0 (outside) and 1 (region)", "other values", "not_a_mask")
    voxels = int(np.count_nonzero(region))
    ml = voxels * grid.voxel_ml
    if ml > LARGEST_ML:
        raise _refused(f"at most {LARGEST_ML:g} mL, more than any brain holds", f"{ml:.0f} mL", "not_a_mask")
    write_nifti(target, grid.with_array(region), dtype=np.uint8, description=f"{SYNTHETIC}; region edited by a reader")
    return {"voxels": voxels, "ml": round(ml, 3)}


def _check_grid(sent: Volume, grid: Volume) -> None:
    if sent.shape != grid.shape:
        raise _refused(_size(grid), _size(sent), "other_grid")
    apart = float(np.linalg.norm(corners(sent.shape, sent.affine) - corners(grid.shape, grid.affine), axis=1).max())
    if apart > GRID_TOLERANCE_MM:
        raise _refused("the place of the image's own voxels", f"corners up to {apart:.2f} mm away", "other_grid")


def _size(volume: Volume) -> str:
    return " x ".join(str(n) for n in volume.shape) + " voxels"


def _refused(expected: str, got: str, code: str) -> InputError:
    return InputError(
        "This is no edited region of that image.",
        expected=expected,
        got=got,
        hint="Export the segment as a label map with the geometry of the image's maps.",
        code=code,
    )
