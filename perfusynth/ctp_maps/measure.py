"""`measure_maps`: volumes, core, mismatch and side of any Tmax and CBF maps, ours or another program's."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from perfusynth import __version__
from perfusynth.ctp_maps.map_files import on_grid_of, read_map
from perfusynth.ctp_maps.map_origin import MapOrigin, origin_of, refuse_other_map
from perfusynth.ctp_maps.plausible_maps import check_maps
from perfusynth.ctp_maps.sides import NO_MIDPLANE, midplane_of
from perfusynth.errors import InputError
from perfusynth.perfusion.colour_tables import MAP_DISPLAYS
from perfusynth.perfusion.deconvolution_block import deconvolution_description
from perfusynth.perfusion.measurements import Measurements, Origin
from perfusynth.perfusion.notices import notices_for, short_notice
from perfusynth.perfusion.region_blocks import region_blocks
from perfusynth.perfusion.regions import Regions, RegionSettings, measure_regions
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.readers.read import read_scan
from perfusynth.report import NCCT, displays_of, grey_map, write_report
from perfusynth.volumes.brain import BrainMask, Midplane
from perfusynth.volumes.geometry import nearest_ras
from perfusynth.volumes.nifti import write_nifti
from perfusynth.volumes.volume import Volume

#: Brain above this cannot be, mL: the maps are not 0 outside the head (the largest brains hold 2 L).
BRAIN_MAX_ML = 2500.0
#: Median of a plain CT inside the brain, HU (the head check's own limits are narrower).
CT_MEDIAN_HU = (5.0, 90.0)
#: HU that stand for brain and for what is outside, where the midplane is fitted to an outline.
OUTLINE_HU = (32.0, -1000.0)
#: How the brain was found where no mask was given.
WHERE_MAPS_ARE = "where the maps are not 0, holes filled"


@dataclass(frozen=True, eq=False)
class MeasuredMaps:
    """Maps, what was measured on them, and the CT if there is one; all on the Tmax map's grid."""

    maps: Mapping[str, Volume]
    brain: np.ndarray
    regions: Regions
    measurements: Measurements
    ct: Volume | None
    sides_known: bool

    def write(self, folder: Path) -> None:
        """Write maps, ``brain.nii.gz``, ``measurements.json``, ``report.html`` and ``report.png`` into a folder."""
        block = self.measurements.deconvolution
        banner = short_notice(self.measurements.notices) if block is None else deconvolution_description(block)
        for name, volume in self.maps.items():
            write_nifti(folder / f"{name}.nii.gz", volume, description=banner)
        tmax = self.maps["tmax"]
        write_nifti(folder / "brain.nii.gz", tmax.with_array(self.brain), dtype=np.uint8)
        self.measurements.write_json(folder / "measurements.json")
        picture, background = self.ct, NCCT
        if picture is None:
            name = "cbf" if "cbf" in self.maps else "tmax"
            picture = self.maps[name]
            background = replace(grey_map(displays_of(self.measurements)[name]), sides_known=self.sides_known)
        write_report(folder, picture, self.maps, self.brain, self.regions, self.measurements, background=background)


def measure_maps(
    tmax_path: Path,
    cbf_path: Path | None,
    *,
    brain_path: Path | None = None,
    ncct_path: Path | None = None,
    origin: Origin | None = None,
    settings: RegionSettings | None = None,
    on_progress: OnProgress = ignore_progress,
) -> MeasuredMaps:
    """Measure maps.

    Parameters
    ----------
    tmax_path, cbf_path
        Tmax in s and CBF in mL/100 g/min, NIfTI or NRRD, on one grid. Without CBF there is no core.
    brain_path
        Mask on that grid, above 0 inside; by default the one of the result that the maps belong to, and for anybody
        else's maps where they are not 0, holes filled.
    ncct_path
        CT on that grid, HU: finds the midplane and is what the report is drawn on. Without it the brain's outline
        tells the midplane, if it can.
    origin
        For maps of which nothing else is known; ``vendor`` by default.
    settings
        Thresholds and clean-up.

    Raises
    ------
    InputError
        Files that cannot be read, maps that cannot be what they should (`check_maps`), of contradictory origin
        (`origin_of`) or on different grids; codes ``no_background``, ``not_a_ct``, ``no_midplane``.
    Cancelled
        From ``on_progress``.
    """
    settings = settings or RegionSettings()
    on_progress("read", 0.0)
    tmax, notes = read_map(tmax_path, "Tmax map")
    maps, stored = {"tmax": tmax}, [tmax]
    if cbf_path is not None:
        cbf, said = read_map(cbf_path, "CBF map")
        stored.append(cbf)
        maps["cbf"] = on_grid_of(tmax, cbf, "CBF map")
        notes += said
    found = origin_of([path for path in (tmax_path, cbf_path) if path is not None], stored, origin)
    notes += found.notes
    for name, path in (("tmax", tmax_path), ("cbf", cbf_path)):
        if path is not None:
            refuse_other_map(found, Path(path), name)
    brain = _brain(maps, brain_path or _brain_of_result(found, tmax_path))
    if brain.method == WHERE_MAPS_ARE:
        notes += (f"Brain: {WHERE_MAPS_ARE}.",)
    check_maps(tmax.array[brain.mask], maps["cbf"].array[brain.mask] if "cbf" in maps else None)
    if "cbf" not in maps:
        notes += ("No CBF map was given: neither core nor mismatch could be measured.",)
    on_progress("midplane", 0.4)
    ct = None if ncct_path is None else _ct(ncct_path, tmax, brain.mask)
    midplane, about = _midplane(ct, tmax, brain, found)
    notes += about
    if midplane is None and settings.core_reference == "contralateral":
        raise InputError(
            "The core cannot be compared with the other hemisphere: the midplane is not known.",
            expected="maps whose midplane can be found",
            got=" ".join(about),
            hint="Give a CT on the maps' grid with --ncct, or leave --core-reference out.",
            code="no_midplane",
        )
    on_progress("measure", 0.7)
    regions = measure_regions(tmax, maps.get("cbf"), brain.mask, midplane, settings)
    measurements = _measurements(maps, brain, midplane, regions, found, notes)
    on_progress("measure", 1.0)
    return MeasuredMaps(maps, brain.mask, regions, measurements, ct, found.sides_known)


def _brain_of_result(found: MapOrigin, tmax_path: Path) -> Path | None:
    beside = Path(tmax_path).parent / "brain.nii.gz"
    return beside if found.document is not None and beside.is_file() else None


def _brain(maps: Mapping[str, Volume], path: Path | None) -> BrainMask:
    tmax = maps["tmax"]
    if path is not None:
        mask = on_grid_of(tmax, read_map(path, "brain mask")[0], "brain mask").array > 0
        method = "given mask"
    else:
        known = tmax.array != 0
        if "cbf" in maps:
            known |= maps["cbf"].array > 0
        mask, method = _filled(known, tmax.spacing), WHERE_MAPS_ARE
    millilitres = np.count_nonzero(mask) * tmax.voxel_ml
    if millilitres > BRAIN_MAX_ML:
        raise InputError(
            "The brain is too large.",
            expected=f"at most {BRAIN_MAX_ML:.0f} mL where the maps are not 0, or inside the mask",
            got=f"{millilitres:.0f} mL",
            hint="Give a mask of the brain with --brain, or set the maps to 0 outside the brain.",
            code="no_background",
        )
    return BrainMask(mask, method)


def _filled(mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Holes filled slice by slice (across the coarsest axis): ventricles that maps leave out are open below."""
    axis = int(np.argmax(spacing))
    return np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(mask, axis, 0)], axis=axis)


def _ct(path: Path, tmax: Volume, brain: np.ndarray) -> Volume:
    ct = on_grid_of(tmax, read_scan(path).volume, "CT")
    median = float(np.median(ct.array[brain]))
    low, high = CT_MEDIAN_HU
    if not low <= median <= high:
        raise InputError(
            "The image given as CT is none, or does not lie where the maps do.",
            expected=f"a median of {low:g} to {high:g} HU in the brain",
            got=f"{median:.4g}",
            hint="Give a CT of the same head on the maps' grid, or leave --ncct out.",
            code="not_a_ct",
        )
    return ct


def _midplane(
    ct: Volume | None, tmax: Volume, brain: BrainMask, found: MapOrigin
) -> tuple[Midplane | None, tuple[str, ...]]:
    """The midplane, from the best that there is, and what must be said about it."""
    if not found.sides_known:
        return None, ("Left and right are unknown in the picture: no side is named.",)
    if ct is not None:
        midplane = midplane_of(ct, brain)
        return midplane, () if midplane is not None else (NO_MIDPLANE,)
    if found.document is not None and found.document.midplane is not None:
        plane = found.document.midplane
        return Midplane(np.array(plane.point), np.array(plane.normal)), ()
    inside, outside = OUTLINE_HU
    midplane = midplane_of(tmax.with_array(np.where(brain.mask, inside, outside)), brain)
    if midplane is None:
        return None, (NO_MIDPLANE,)
    return midplane, ("The midplane was fitted to the outline of the brain: no CT was given.",)


def _measurements(
    maps: Mapping[str, Volume],
    brain: BrainMask,
    midplane: Midplane | None,
    regions: Regions,
    found: MapOrigin,
    notes: tuple[str, ...],
) -> Measurements:
    document, tmax = found.document, maps["tmax"]
    before: dict[str, Any] = {} if document is None else document.input.model_dump()
    given = {
        "sha256": _sha256(maps),
        "kind": "maps",
        "shape": tmax.shape,
        "spacing_mm": tuple(tmax.spacing),
        "resampled": False,
        "is_phantom": False,
    }
    told = [*before.get("notes", []), *notes]
    return Measurements.model_validate(
        {
            "origin": found.origin,
            "notices": notices_for(found.origin, document.validated_on if document else None),
            "validated_on": document.validated_on if document else None,
            **region_blocks(regions, midplane),
            "brain_method": (document.brain_method if document else None) or brain.method,
            "checks": document.checks if document else [],
            "overrides": document.overrides if document else [],
            "model": document.model if document else None,
            "deconvolution": found.deconvolution,
            "software": {"version": __version__},
            "input": given | before | {"notes": list(dict.fromkeys(told))},
            "maps": [
                {
                    "name": name,
                    "file": f"{name}.nii.gz",
                    "unit": MAP_DISPLAYS[name].unit,
                    "range": (float(volume.array.min()), float(volume.array.max())),
                }
                for name, volume in maps.items()
            ],
        }
    )


def _sha256(maps: Mapping[str, Volume]) -> str:
    """SHA-256 of the maps' numbers, float32, little endian, in nearest-RAS order, one after the other."""
    digest = hashlib.sha256()
    for volume in maps.values():
        digest.update(np.ascontiguousarray(nearest_ras(volume).array, dtype="<f4").data)
    return digest.hexdigest()
