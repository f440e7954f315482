"""The skull and what the scan covers of the brain: holes in the vault, vertex or base cut off, pose."""

import numpy as np
from scipy import ndimage

from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.findings import Finding
from perfusynth.volumes.head_check.anatomy import Anatomy
from perfusynth.volumes.head_check.limits import HeadCheckLimits

#: Radius of a sphere like the upper brain, mm; turns a cut's area into the height that is missing.
_VERTEX_RADIUS_MM = 70.0
#: The vault begins this far below the brain's centre; skull-base foramina and the orbits lie lower.
_VAULT_BELOW_CENTRE_MM = 5.0
#: Blocks below are air or padding, HU; the thin wall of a sinus lifts its blocks above.
_OUTSIDE_HU = -900.0
#: A block's maximum from which it holds some bone, HU.
_ANY_BONE_HU = 110.0


def skull_findings(anatomy: Anatomy, limits: HeadCheckLimits) -> list[Finding]:
    """``no_skull`` where most of the vault has no bone, else ``craniotomy`` where it has a hole of 30 mm or more.

    Burr holes (14 mm), a refixed bone flap's slits and holes of the posterior fossa or skull base are not found.
    """
    spacing = anatomy.spacing
    bone = anatomy.peak.array >= limits.vault_bone_hu
    heights = np.flatnonzero(anatomy.inside.any(axis=(0, 1))) * spacing[2]
    weights = np.count_nonzero(anatomy.inside, axis=(0, 1))[anatomy.inside.any(axis=(0, 1))]
    centre = float(np.average(heights, weights=weights))
    above = np.arange(bone.shape[2]) * spacing[2] > centre - _VAULT_BELOW_CENTRE_MM
    rim_mm = 1.3 * float(spacing[:2].max())
    vault = anatomy.inside & (anatomy.depth <= rim_mm) & above
    around = (anatomy.depth <= 0) & (anatomy.depth > -limits.hole_mm) & above
    share = float(np.count_nonzero(around & bone)) / max(1, np.count_nonzero(around))
    if share < limits.vault_share:
        message = "There is no skull around the brain (was it stripped?); give the original head CT."
        expected = f"bone in at least {100 * limits.vault_share:.0f} % of the {limits.hole_mm:g} mm above the brain"
        return [Finding("no_skull", "refuse", message, expected, f"{100 * share:.0f} %")]
    # Where the scan ends nobody knows about bone: that is no hole.
    z = np.arange(bone.shape[2])
    top, bottom = open_columns(anatomy)
    first, last = _ends(anatomy.inside)
    end = (top[:, :, None] & (z == last[:, :, None])) | (bottom[:, :, None] & (z == first[:, :, None]))
    distance = ndimage.distance_transform_edt(~bone & ~end, sampling=spacing)
    far = vault & (distance > limits.hole_mm)
    labels, regions = ndimage.label(far, np.ones((3, 3, 3)))
    if regions == 0:
        return []
    largest = int(np.bincount(labels.ravel())[1:].max())
    # The rim's blocks over the rim's thickness give its area.
    area = largest * anatomy.block_ml * 1000 / rim_mm / 100
    if area < limits.hole_cm2:
        return []
    width = 2 * (limits.hole_mm + 10 * np.sqrt(area / np.pi))
    message = (
        "The vault of the skull has a hole (craniotomy or fracture): past surgery is not what models are made for."
    )
    return [
        Finding(
            "craniotomy",
            "refuse",
            message,
            f"no hole wider than {2 * limits.hole_mm + 10:.0f} mm",
            f"about {width:.0f} mm",
        )
    ]


def open_columns(anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """Columns ``(x, y)`` whose brain runs into the scan's end (last slice or padding) at the top, at the bottom."""
    present = anatomy.inside.any(axis=2)
    first, last = _ends(anatomy.inside)
    # Two blocks beyond the array count as outside, so that "the next" and "the one after" always exist.
    ends = ((0, 0), (0, 0), (2, 2))
    outside = np.pad(anatomy.mean.array < _OUTSIDE_HU, ends, constant_values=True)
    bone = np.pad(anatomy.peak.array >= _ANY_BONE_HU, ends, constant_values=False)

    def runs_out(next_block: np.ndarray, step: int) -> np.ndarray:
        def at(array: np.ndarray, index: np.ndarray) -> np.ndarray:
            return np.take_along_axis(array, index[:, :, None] + 2, axis=2)[:, :, 0]

        # The block at the cut is a mixture when padding cuts obliquely: then the one after it is outside.
        return at(outside, next_block) | (~at(bone, next_block) & at(outside, next_block + step))

    return present & runs_out(last + 1, 1), present & runs_out(first - 1, -1)


def _ends(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the lowest and of the highest block inside each column (0 and the last where there is none)."""
    return np.argmax(inside, axis=2), inside.shape[2] - 1 - np.argmax(inside[:, :, ::-1], axis=2)


def coverage_findings(anatomy: Anatomy, limits: HeadCheckLimits) -> list[Finding]:
    """``vertex_cut`` and ``base_cut``: brain that the scan cuts off at the top or bottom.

    Told from a cut of 3 mm at the vertex and from a cut through the cerebellum at the base; refused without the
    upper 25 mm or without the ganglionic level.
    """
    block_cm2 = float(anatomy.spacing[0] * anatomy.spacing[1]) / 100
    top, bottom = (float(np.count_nonzero(c)) * block_cm2 for c in open_columns(anatomy))
    slices = np.flatnonzero(anatomy.inside.any(axis=(0, 1)))
    height = float((slices[-1] - slices[0] + 1) * anatomy.spacing[2])
    found = []
    if top > limits.vertex_warn_cm2:
        missing = 100 * top / (2 * np.pi * _VERTEX_RADIUS_MM)
        refuse = missing > limits.vertex_refuse_mm
        message = "The scan ends below the vertex: nothing is shown above it; give the whole head if there is one."
        expected = f"at most {limits.vertex_refuse_mm if refuse else 3:.0f} mm missing"
        got = f"{top:.0f} cm2 of brain in the top slice, about {missing:.0f} mm missing"
        found.append(Finding("vertex_cut", "refuse" if refuse else "warn", message, expected, got))
    if bottom > limits.base_warn_cm2:
        refuse = height < limits.base_refuse_mm
        message = (
            "The scan starts above the skull base: nothing is shown below it; give the whole head if there is one."
        )
        expected = f"at least {limits.base_refuse_mm:.0f} mm of brain" if refuse else "brain down to the foramen magnum"
        got = f"{bottom:.0f} cm2 of brain in the lowest slice, {height:.0f} mm of brain above it"
        found.append(Finding("base_cut", "refuse" if refuse else "warn", message, expected, got))
    return found


def pose_findings(midplane: Midplane, limits: HeadCheckLimits) -> list[Finding]:
    """``unusual_pose``: the head is turned or tilted so far that left and right should be looked at."""
    x, y, z = (float(v) for v in midplane.normal)
    yaw, roll = np.degrees(np.arctan2(y, x)), np.degrees(np.arcsin(z))
    if max(abs(yaw), abs(roll)) <= limits.pose_deg:
        return []
    message = "The head is turned far out of the usual pose; compare left and right with the CT."
    expected = f"turned or tilted by at most {limits.pose_deg:g} degrees"
    return [Finding("unusual_pose", "warn", message, expected, f"turned {yaw:.0f}, tilted {roll:.0f} degrees")]
