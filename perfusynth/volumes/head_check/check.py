"""The head check: may this image be synthesised? First without, then with the brain mask."""

from collections.abc import Collection, Iterable

from perfusynth.volumes.acquisition import Acquisition
from perfusynth.volumes.brain import BrainMask, Midplane
from perfusynth.volumes.cropping import cropped_to
from perfusynth.volumes.findings import Finding
from perfusynth.volumes.head_check.anatomy import look_at
from perfusynth.volumes.head_check.density import blood_findings, contrast_findings
from perfusynth.volumes.head_check.header import header_findings
from perfusynth.volumes.head_check.limits import HeadCheckLimits
from perfusynth.volumes.head_check.metal import air_findings, metal_findings, noise_findings
from perfusynth.volumes.head_check.shape import shape_findings
from perfusynth.volumes.head_check.skull import coverage_findings, pose_findings, skull_findings
from perfusynth.volumes.head_check.values import value_findings
from perfusynth.volumes.midplane import find_midplane
from perfusynth.volumes.volume import Volume

#: Skull and scalp around the brain that the anatomical checks look at, mm.
_AROUND_BRAIN_MM = 22.0
#: Refusals after which the voxels show nothing that could be looked at.
_UNUSABLE = frozenset({"not_finite", "hu_scale", "hu_offset", "too_few_slices"})


def check_image(ncct: Volume, acquisition: Acquisition, *, limits: HeadCheckLimits | None = None) -> list[Finding]:
    """First stage, before any mask: is it a CT in HU, large enough, and a head?

    Codes: ``not_ct``, ``secondary_capture``, ``localizer``, ``derived_image``, ``bone_kernel``,
    ``contrast_in_vessels`` (header, warn), ``not_finite``, ``hu_scale``, ``hu_offset``, ``too_few_slices``,
    ``too_thick_slices``; and, where the values can be used at all, ``no_skull``, ``plastic_phantom``,
    ``wrong_body_part``, ``no_brain``: overriding one refusal must not hide another.

    Parameters
    ----------
    ncct
        The image, meant to be HU; any axis order.
    acquisition
        What its header says; ``Acquisition()`` for NIfTI and NRRD.
    limits
        Other limits than the default.
    """
    limits = limits or HeadCheckLimits()
    found = [*header_findings(acquisition, limits), *value_findings(ncct, limits)]
    if not any(finding.code in _UNUSABLE and finding.severity == "refuse" for finding in found):
        found += shape_findings(ncct, limits)
    return _one_each(found)


def check_anatomy(
    ncct: Volume, brain: BrainMask, *, midplane: Midplane | None = None, limits: HeadCheckLimits | None = None
) -> list[Finding]:
    """Second stage, with the brain mask: is the head whole, and free of blood, contrast, metal and surgery?

    Codes: ``no_skull``, ``craniotomy``, ``vertex_cut``, ``base_cut``, ``unusual_pose``, ``blood``,
    ``contrast_in_vessels``, ``metal``, ``intracranial_air``, ``noisy``. Each check's docstring says down to
    which size it sees.

    Parameters
    ----------
    ncct
        HU, finite; it has passed `check_image`.
    brain
        On its grid, not empty.
    midplane
        Where it is known already; else it is found here.
    limits
        Other limits than the default.
    """
    limits = limits or HeadCheckLimits()
    # Whatever lies further from the brain (headrest, neck) has no say.
    head, mask = cropped_to(ncct, brain.mask, _AROUND_BRAIN_MM)
    midplane = midplane or find_midplane(head, BrainMask(mask, brain.method))
    anatomy = look_at(head, mask)
    part, _ = cropped_to(head, mask)
    return _one_each(
        [
            *skull_findings(anatomy, limits),
            *coverage_findings(anatomy, limits),
            *pose_findings(midplane, limits),
            *metal_findings(head, anatomy, limits),
            *air_findings(anatomy, limits),
            *contrast_findings(part, anatomy, midplane, limits),
            *blood_findings(anatomy, limits),
            *noise_findings(part, limits),
        ]
    )


def check_head(
    ncct: Volume,
    acquisition: Acquisition,
    brain: BrainMask | None,
    *,
    midplane: Midplane | None = None,
    limits: HeadCheckLimits | None = None,
) -> list[Finding]:
    """Both stages; the second only where a mask is given and the first found the values usable."""
    found = check_image(ncct, acquisition, limits=limits)
    if brain is None or any(finding.code in _UNUSABLE for finding in found):
        return found
    return _one_each([*found, *check_anatomy(ncct, brain, midplane=midplane, limits=limits)])


def refusals(findings: Iterable[Finding], override: Collection[str] = ()) -> list[Finding]:
    """The findings that refuse and whose code the override does not name."""
    return [finding for finding in findings if finding.severity == "refuse" and finding.code not in override]


def _one_each(findings: Iterable[Finding]) -> list[Finding]:
    """One finding a code: the first that refuses, else the first."""
    kept: dict[str, Finding] = {}
    for finding in findings:
        known = kept.get(finding.code)
        if known is None or (known.severity == "warn" and finding.severity == "refuse"):
            kept[finding.code] = finding
    return list(kept.values())
