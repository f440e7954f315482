"""The pixels of one pair out of a DICOM tree: NCCT, CTP and maps, each on an even grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress
from perfusynth.readers.dicom import load_images
from perfusynth.readers.dicom_geometry import UnusableStackError, geometry_of
from perfusynth.readers.dicom_headers import Slice
from perfusynth.readers.dicom_perfusion import load_perfusion
from perfusynth.readers.dicom_pixels import read_pixels
from perfusynth.readers.dicom_series import Aside, no_place_fault, stacks_of
from perfusynth.readers.read import scan_of
from perfusynth.readers.series_values import times_at_interval
from perfusynth.studies.given_maps import as_map
from perfusynth.studies.settings import PrepareSettings
from perfusynth.studies.subjects import StudyImages
from perfusynth.volumes.memory_order import to_c_order
from perfusynth.volumes.regrid import regrid_stack
from perfusynth.volumes.series import Series
from perfusynth.volumes.volume import Volume


@dataclass(frozen=True)
class DicomStudy:
    """Images of a pair.

    Parameters
    ----------
    ncct
        Of the series that is the plain CT.
    ctp
        Images of the visit, among which the CTP is; empty: there is none.
    maps
        Images of each map that another program made.
    minutes_apart
        From NCCT to perfusion study.
    damaged
        How many of the patient's files could not be read.
    """

    ncct: Sequence[Slice]
    ctp: Sequence[Slice]
    maps: Mapping[str, Sequence[Slice]]
    minutes_apart: float | None
    damaged: int

    def read(self, settings: PrepareSettings, on_progress: OnProgress) -> StudyImages:
        """Read all pixels.

        Raises
        ------
        InputError
            As of `load_images` and `load_perfusion`.
        """
        scan = scan_of("dicom", load_images(self.ncct, self.damaged, lambda _, f: on_progress("read", 0.3 * f)))
        notes = list(scan.notes)
        maps = self._maps(notes)
        perfusion: Series | None = None
        if self.ctp and (settings.keep_ctp or settings.preferred == "ctp" or "tmax" not in maps):
            given = None if settings.interval_s is None else times_at_interval(settings.interval_s)
            loaded = load_perfusion(self.ctp, 0, given, lambda _, f: on_progress("read", 0.3 + 0.7 * f))
            perfusion = loaded.series
            notes += loaded.notes
        return StudyImages(
            scan.volume,
            scan.acquisition,
            perfusion,
            maps,
            minutes_apart=self.minutes_apart,
            notes=tuple(dict.fromkeys(notes)),
        )

    def _maps(self, notes: list[str]) -> dict[str, Volume]:
        maps = {}
        for name, images in self.maps.items():
            try:
                maps[name] = as_map(_volume_of(images, name), name)
            except InputError as error:
                if name == "tmax" and not self.ctp:
                    raise
                notes.append(f"The {name} map that came with the study was left out: {error.error}")
        return maps


def _volume_of(images: Sequence[Slice], name: str) -> Volume:
    """One stack of numbers, on an even orthogonal grid."""
    aside: list[Aside] = []
    stacks = stacks_of(images, no_place_fault, aside)
    try:
        if len(stacks) != 1:
            raise UnusableStackError("several_stacks", f"it holds {len(stacks)} stacks of slices")
        geometry = geometry_of(stacks[0])
    except UnusableStackError as fault:
        raise InputError(
            f"The {name} map cannot be read.",
            expected="one stack of parallel slices",
            got=fault.reason,
            hint="Export the map again.",
            code=fault.code,
        ) from None
    pixels = to_c_order(read_pixels(geometry.slices, lambda stage, fraction: None))
    pixels = np.maximum(pixels, 0)  # padding and what the program could not compute
    if geometry.even:
        return Volume(pixels, geometry.affine)
    return regrid_stack(pixels, geometry.positions, geometry.step_x, geometry.step_y, geometry.spacing_mm)
