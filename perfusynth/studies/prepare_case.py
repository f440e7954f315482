"""One study to one case folder: checked, masked, maps made, registered, written without identities."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from perfusynth import __version__
from perfusynth.brain_structures.methods import inside_of_skull
from perfusynth.ctp_maps.pipeline import deconvolution_block
from perfusynth.ctp_maps.series_maps import maps_of_series
from perfusynth.errors import InputError
from perfusynth.perfusion.deconvolution_block import deconvolution_description
from perfusynth.perfusion.notices import VENDOR
from perfusynth.progress import OnProgress
from perfusynth.registration.fixed_image import fixed_image
from perfusynth.registration.register import Registered
from perfusynth.registration.transform_file import transform_bytes
from perfusynth.registration.transform_sidecar import automatic, automatic_registration
from perfusynth.stages import Stages
from perfusynth.studies.case_files import DIGITS, CaseVolumes, rounded_hu, write_volumes
from perfusynth.studies.given_maps import check_given
from perfusynth.studies.head_alone import heads_alone
from perfusynth.studies.overview import draw_overview, write_overview
from perfusynth.studies.register_maps import register_maps
from perfusynth.studies.settings import PrepareSettings
from perfusynth.studies.subjects import StudyImages
from perfusynth.volumes.acquisition import Acquisition
from perfusynth.volumes.brain import BrainExtractor, BrainMask
from perfusynth.volumes.case_file import write_case_file
from perfusynth.volumes.case_registration import CaseRegistration, keep_registration
from perfusynth.volumes.findings import Finding
from perfusynth.volumes.fingerprint import voxel_sha256
from perfusynth.volumes.geometry import corners
from perfusynth.volumes.head_check import check_anatomy, check_image, refusals
from perfusynth.volumes.series import Series
from perfusynth.volumes.series_file import write_series
from perfusynth.volumes.volume import Volume

#: Share of the whole work by stage: a CTP of 256 x 256 x 16 at 45 times on 2 cores.
SHARES = {"read": 0.15, "check": 0.1, "maps": 0.5, "register": 0.15, "write": 0.1}
#: Author of a registration that nobody has looked at.
AUTHOR = "perfusynth prepare"


class Registrar(Protocol):
    """Finds how an NCCT lies to the image of a perfusion study."""

    def __call__(self, fixed: Volume, moving: Volume, *, on_progress: OnProgress) -> Registered: ...


@dataclass(frozen=True, eq=False)
class Tools:
    """What finds brains and registers."""

    extractor: BrainExtractor
    register: Registrar


@dataclass(frozen=True, eq=False)
class _Maps:
    """Maps of a case: volumes and what their headers say, where they come from, and an image to register (None: no CT
    came with them)."""

    case: CaseVolumes
    about: Mapping[str, Any]
    fixed: Volume | None
    notes: tuple[str, ...] = ()


def prepare_case(
    folder: Path, images: StudyImages, settings: PrepareSettings, tools: Tools, on_progress: OnProgress
) -> None:
    """Write one case into an empty folder.

    Raises
    ------
    InputError
        The head check refuses the NCCT, no maps can be made, or they cannot be registered.
    Cancelled
        From ``on_progress``.
    """
    stages = Stages(SHARES, on_progress)
    # A phantom's voxels stay as they are: it is known again by their hash, and nobody's name is burned into it.
    images = images if images.facts.get("kind") == "phantom" else heads_alone(images)
    ncct = rounded_hu(images.ncct)
    with stages.stage("check") as progress:
        brain, findings = _checked(ncct, images, settings, tools, progress)
    with stages.stage("maps") as progress:
        made = _maps_of(images, settings, progress)
    with stages.stage("register") as progress:
        registrations = _registrations(images, made, ncct, brain.mask, tools, progress)
    with stages.stage("write"):
        others = {name: volume for name, volume in images.others.items() if name not in ("brain", "valid")}
        volumes = CaseVolumes(
            {"ncct": ncct, "brain": Volume(brain.mask, ncct.affine), **made.case.volumes, **others},
            made.case.descriptions,
            {"brain": _ml(brain.mask, ncct), **made.case.volumes_ml},
        )
        written = write_volumes(folder, volumes)
        if images.perfusion is not None and settings.keep_ctp:
            write_series(folder / "ctp.nii.gz", images.perfusion)
            written["ctp"] = _described(images.perfusion)
        content = {
            "kind": "study",
            **images.facts,
            "modalities": written,
            "volumes_ml": {**volumes.volumes_ml, **images.facts.get("volumes_ml", {})},
            "ncct_sha256": voxel_sha256(ncct),
            "prepared": {
                "software": __version__,
                "maps": dict(made.about),
                "brain": brain.method,
                "minutes_apart": None if images.minutes_apart is None else round(images.minutes_apart, DIGITS),
                "acquisition": _acquisition(images.acquisition),
                "findings": [finding.as_dict() for finding in findings],
                "notes": [*images.notes, *made.notes],
            },
        }
        write_case_file(folder, content)
        centre = _centre(made.fixed or made.case.volumes["tmax"])
        for registration in registrations:
            keep_registration(folder, registration, transform_bytes(registration.fixed_to_moving, centre))
        picture = draw_overview(ncct, brain.mask, made.case.volumes, made.fixed, registrations[-1].fixed_to_moving)
        write_overview(folder, picture)


def _checked(
    ncct: Volume, images: StudyImages, settings: PrepareSettings, tools: Tools, on_progress: OnProgress
) -> tuple[BrainMask, list[Finding]]:
    findings = check_image(ncct, images.acquisition)
    _refuse(findings, settings)
    given = images.others.get("brain")
    if given is not None and given.shape == ncct.shape and np.allclose(given.affine, ncct.affine, atol=1e-3):
        brain = BrainMask(given.array > 0.5, "brain.nii.gz of the case")
    else:
        brain = tools.extractor.extract(ncct, on_progress=on_progress)
    findings += check_anatomy(ncct, inside_of_skull(ncct, brain))
    _refuse(findings, settings)
    return brain, findings


def _refuse(findings: list[Finding], settings: PrepareSettings) -> None:
    for finding in refusals(findings, settings.override):
        raise InputError(
            finding.message,
            expected=finding.expected,
            got=finding.got,
            hint=f"Look at the NCCT; --override {finding.code} takes it all the same.",
            code=finding.code,
        )


def _maps_of(images: StudyImages, settings: PrepareSettings, on_progress: OnProgress) -> _Maps:
    if images.perfusion is not None and (settings.preferred == "ctp" or "tmax" not in images.maps) and not _own(images):
        return _made(images.perfusion, settings, on_progress)
    check_given(images.maps)
    tmax = images.maps["tmax"]
    volumes = dict(images.maps) | ({"valid": images.others["valid"]} if "valid" in images.others else {})
    told = dict.fromkeys(images.maps, VENDOR) | dict(images.descriptions)
    fixed = None if images.perfusion is None else fixed_image(images.perfusion, on_progress=on_progress)
    late = {"tmax_over_6_s": _ml(tmax.array > 6, tmax)}
    return _Maps(CaseVolumes(volumes, told, late), {"origin": "kept" if _own(images) else "vendor"}, fixed)


def _own(images: StudyImages) -> bool:
    """Whether the maps are a case folder's, which somebody has made out of its CTP already."""
    return "tmax" in images.maps and "tmax" in images.descriptions


def _made(series: Series, settings: PrepareSettings, on_progress: OnProgress) -> _Maps:
    found = maps_of_series(series, settings.maps, on_progress=on_progress)
    block = deconvolution_block(found, settings.maps)
    line = deconvolution_description(block)
    tmax = found.maps["tmax"]
    seen = found.brain.mask & found.valid
    return _Maps(
        CaseVolumes(
            {**found.maps, "valid": tmax.with_array(found.valid)},
            dict.fromkeys(found.maps, line),
            {"tmax_over_6_s": _ml((tmax.array > 6) & seen, tmax)},
        ),
        {"origin": "deconvolved", "deconvolution": block.model_dump(mode="json")},
        found.series.mean(slice(None)),
        found.notes,
    )


def _registrations(
    images: StudyImages, made: _Maps, ncct: Volume, brain: np.ndarray, tools: Tools, on_progress: OnProgress
) -> tuple[CaseRegistration, ...]:
    """What was said before, or a registration of our own."""
    if images.registrations:
        return images.registrations
    if made.fixed is not None:
        found = tools.register(made.fixed, ncct, on_progress=on_progress)
        return (automatic_registration(found, AUTHOR),)
    maps = made.case.volumes
    matrix = register_maps(maps.get("cbf", maps["tmax"]), ncct, brain)
    return (automatic(matrix, AUTHOR, reason="no CT came with the maps: aligned by the brain"),)


def _acquisition(acquisition: Acquisition) -> dict[str, Any]:
    """What says how the NCCT was acquired; free texts (series description, contrast agent) may name somebody."""
    kept = ("manufacturer", "convolution_kernel", "slice_thickness_mm", "gantry_tilt_deg")
    return {name: value for name, value in asdict(acquisition).items() if name in kept and value is not None}


def _described(series: Series) -> dict[str, Any]:
    return {
        "frame": "fixed",
        "shape": [*series.shape, series.frames],
        "spacing_mm": [round(float(s), 4) for s in series.spacing],
    }


def _centre(volume: Volume) -> np.ndarray:
    return corners(volume.shape, volume.affine).mean(axis=0)


def _ml(mask: np.ndarray, grid: Volume) -> float:
    return round(float(np.count_nonzero(mask)) * grid.voxel_ml, DIGITS)
