"""Is the chosen volume plausibly a plain head CT? What a look can tell, before anything leaves the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .map_volumes import SYNTHETIC_ATTRIBUTE
from .node_geometry import volume_of, world_grid
from .problems import Problem

#: Below this there is air around or in a head, above that bone of the skull, HU (air -1000, skull 300 and more).
AIR_HU, BONE_HU = -500.0, 300.0
#: Share of voxels below which there is no air, or no bone: one hundredth and a thousandth. [d]
AIR_SHARE, BONE_SHARE = 0.01, 0.001
#: Fewest slices along any axis, smallest and largest extent of a head scan, mm: the first two as the server's check.
FEWEST_SLICES, SMALLEST_EXTENT_MM, LARGEST_EXTENT_MM = 8, 60.0, 700.0
#: Thicker slices are refused by the server's check, mm.
THICKEST_MM = 10.0
#: Every so many voxels along each axis are looked at, at most this many in all: a look must take no time. [d]
_LOOKED_AT = 2_000_000

#: DICOM tags that tell what an image is.
MODALITY, CONTRAST_AGENT, IMAGE_TYPE = "0008,0060", "0018,0010", "0008,0008"


class Concern(NamedTuple):
    """Something that is wrong with the choice; what ``refuses`` cannot be sent, the rest the user may overrule."""

    problem: Problem
    refuses: bool


def concerns(node: Any, dicom_tag: Callable[[str], str] | None = None) -> list[Concern]:
    """What speaks against sending this volume, the gravest first; nothing where it looks like a plain head CT.

    Parameters
    ----------
    node
        A volume node of the scene, or None.
    dicom_tag
        Gives the value of a tag (``"0008,0060"``) of the volume's series, "" where it is not known.
    """
    structural = _structure(node)
    if structural is not None:
        return [Concern(structural, refuses=True)]
    try:
        affine, shape = world_grid(node)
    except Problem as problem:
        return [Concern(problem, refuses=True)]
    found = _grid(affine, shape) + _tags(dicom_tag or (lambda tag: "")) + _values(volume_of(node).array)
    return sorted(found, key=lambda concern: not concern.refuses)


def dicom_tags_of(node: Any, database: Any) -> Callable[[str], str]:
    """A look-up of DICOM tags of a volume that was loaded from Slicer's DICOM database."""
    instances = (node.GetAttribute("DICOM.instanceUIDs") or "").split()

    def tag(name: str) -> str:
        return database.instanceValue(instances[0], name) if database is not None and instances else ""

    return tag


def _structure(node: Any) -> Problem | None:
    if node is None:
        return Problem("nothing_chosen", "No volume is chosen.", "Choose the plain head CT.")
    if node.IsA("vtkMRMLLabelMapVolumeNode") or node.IsA("vtkMRMLSegmentationNode"):
        return Problem("labelmap", "The chosen volume is a label map, not an image.", "Choose the plain head CT.")
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        return Problem("not_volume", "What is chosen is no volume.", "Choose the plain head CT.")
    if node.IsA("vtkMRMLMultiVolumeNode"):
        return Problem(
            "several_frames",
            "The chosen volume is a series in time.",
            "Choose the plain head CT, not the perfusion scan.",
        )
    if node.IsA("vtkMRMLTensorVolumeNode"):
        return Problem("not_scalar", "The chosen volume holds vectors.", "Choose the plain CT itself.")
    try:
        volume_of(node)
    except Problem as problem:
        return problem
    if node.GetAttribute(SYNTHETIC_ATTRIBUTE):
        return Problem("synthetic", "The chosen volume is itself a synthetic map.", "Choose the plain head CT.")
    return None


def _grid(affine: np.ndarray, shape: tuple[int, int, int]) -> list[Concern]:
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    extent = spacing * shape
    if min(shape) < FEWEST_SLICES:
        return [
            _refused(
                "few_slices",
                f"The chosen volume has {min(shape)} slices; a head CT has at least {FEWEST_SLICES}.",
                "Choose the whole series, not a single slice or a scout view.",
            )
        ]
    found = []
    if extent.min() < SMALLEST_EXTENT_MM:
        found.append(
            _refused(
                "small_extent",
                f"The chosen volume covers {extent.min():.0f} mm, not the {SMALLEST_EXTENT_MM:.0f} mm of a head.",
                "Choose the series that covers the whole brain.",
            )
        )
    if spacing.max() > THICKEST_MM:
        found.append(
            _refused(
                "thick_slices",
                f"The slices are {spacing.max():.1f} mm apart; more than {THICKEST_MM:.0f} mm hides early signs.",
                "Choose a thinner reconstruction of the same scan.",
            )
        )
    if extent.max() > LARGEST_EXTENT_MM:
        found.append(
            _doubtful(
                "large_extent",
                f"The chosen volume is {extent.max():.0f} mm long: more than a head.",
                "Choose a head series, or crop the volume to the head (Crop Volume module).",
            )
        )
    return found


def _values(array: np.ndarray) -> list[Concern]:
    step = max(1, int(np.ceil((array.size / _LOOKED_AT) ** (1 / 3))))
    seen = array[::step, ::step, ::step]
    if not np.isfinite(seen).all():
        return [
            _refused("not_finite", "The chosen volume holds values that are no numbers.", "Load the scan from DICOM.")
        ]
    low, high = float(seen.min()), float(seen.max())
    if low == high:
        return [_refused("constant", "Every voxel of the chosen volume has the same value.", "Load the scan again.")]
    if float((seen < AIR_HU).mean()) < AIR_SHARE:
        return [
            _doubtful(
                "not_hu",
                f"The values run from {low:.0f} to {high:.0f}, without air: an MR scan, or a CT without its HU scale.",
                "Choose the plain CT; if it is one, load it from DICOM, with its surroundings.",
            )
        ]
    if float((seen > BONE_HU).mean()) < BONE_SHARE:
        return [
            _doubtful(
                "no_bone",
                "There is no bone in the chosen volume: no head, or a skull that was removed.",
                "Choose the CT with its skull.",
            )
        ]
    return []


def _tags(tag: Callable[[str], str]) -> list[Concern]:
    found = []
    modality = tag(MODALITY).strip()
    if modality and modality != "CT":
        found.append(
            _refused(
                "modality", f"The chosen volume is {modality}, not CT.", "Choose the plain CT of the same patient."
            )
        )
    agent = tag(CONTRAST_AGENT).strip()
    if agent:
        found.append(
            _doubtful(
                "contrast",
                "The series says that contrast medium was given.",
                "Choose the CT before contrast; go on only if the entry is wrong.",
            )
        )
    if "LOCALIZER" in tag(IMAGE_TYPE).upper():
        found.append(_refused("scout", "The chosen series is a scout view.", "Choose the head series itself."))
    return found


def _refused(code: str, what: str, what_to_do: str) -> Concern:
    return Concern(Problem(code, what, what_to_do), refuses=True)


def _doubtful(code: str, what: str, what_to_do: str) -> Concern:
    return Concern(Problem(code, what, what_to_do), refuses=False)
