"""Which series of a patient belong together: a perfusion study or maps, and the plain CT shortly before."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from perfusynth.errors import InputError
from perfusynth.readers.dicom_headers import Slice
from perfusynth.readers.dicom_perfusion_choice import choose_perfusion
from perfusynth.readers.dicom_series import choose, no_image_fault, series_name
from perfusynth.studies.dicom_read import DicomStudy
from perfusynth.studies.dicom_times import Start, minutes_between, start_of
from perfusynth.studies.given_maps import MASK, map_named
from perfusynth.studies.settings import PrepareSettings
from perfusynth.studies.subjects import Excluded, Study, excluded_for

#: A plain CT this long after the perfusion study's first image still counts as before it, minutes: clocks of console
#: and reconstruction differ. Later it shows contrast. [d]
CLOCKS_MINUTES = 2.0
#: Names of series with contrast, where the header does not name the agent.
CONTRAST_WORDS = re.compile(r"(^|[^a-z])(cta|angio\w*|c\+|post[\s_-]?contrast|kontrast)([^a-z]|$)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class _Series:
    images: tuple[Slice, ...]
    start: Start

    @property
    def first(self) -> Slice:
        return self.images[0]


@dataclass(frozen=True)
class _Perfusion:
    """A CTP (images to choose it from, as `choose_perfusion` does) or maps by name, or both, of one visit."""

    ctp: tuple[Slice, ...]
    used: frozenset[str]
    maps: Mapping[str, tuple[Slice, ...]]
    start: Start


def studies_of_patient(
    images: Sequence[Slice], damaged: int, settings: PrepareSettings
) -> tuple[list[Study], list[Excluded]]:
    """Pairs of one patient's images, and what is left out and why.

    Parameters
    ----------
    damaged
        How many of his files could not be read.
    """
    excluded: list[Excluded] = []
    kept = _without_burned_in(images, excluded)
    by_uid: dict[str, list[Slice]] = defaultdict(list)
    for image in kept:
        by_uid[image.series_uid].append(image)
    every = [_Series(tuple(own), start_of(own)) for own in by_uid.values()]
    visits = _visits(every, settings.minutes)
    found: list[_Perfusion] = []
    faults: list[Excluded] = []
    for visit in visits:
        perfusion = _perfusion_of(visit, settings, faults)
        if perfusion is not None:
            found.append(perfusion)
    if not found:
        none = Excluded("no_perfusion", "There is no CT perfusion study, and there are no maps as numbers.")
        return [], [*excluded, *(faults or [none])]
    studies = []
    for perfusion in found:
        paired = _pair(perfusion, every, damaged, settings)
        if isinstance(paired, Excluded):
            excluded.append(paired)
        else:
            studies.append(paired)
    return studies, excluded


def _without_burned_in(images: Sequence[Slice], excluded: list[Excluded]) -> list[Slice]:
    """Images whose pixels may show a name go to ``excluded``, by series."""
    told: dict[str, list[Slice]] = defaultdict(list)
    kept = []
    for image in images:
        if image.burned_in:
            told[image.series_uid].append(image)
        else:
            kept.append(image)
    for own in told.values():
        reason = f"{series_name(own[0])} ({len(own)} images) says that identity is burned into its pixels."
        excluded.append(Excluded("burned_in", reason, own[0].series_uid))
    return kept


def _visits(series: Sequence[_Series], minutes: float) -> list[list[_Series]]:
    """Series between which no longer pause lies; those without a date follow their study, and so do maps: their times
    may be those of their making."""
    follow = [one for one in series if one.start.dated_s is None or map_of(one.first) is not None]
    dated = sorted((one for one in series if one not in follow), key=lambda one: one.start.dated_s or 0.0)
    visits: list[list[_Series]] = []
    for one in dated:
        gap = minutes_between(visits[-1][-1].start, one.start) if visits else None
        if gap is not None and gap <= minutes:
            visits[-1].append(one)
        else:
            visits.append([one])
    others: dict[str, list[_Series]] = defaultdict(list)
    for one in follow:
        others[one.first.study_uid].append(one)
    for study, own in others.items():
        home = next((visit for visit in visits if any(s.first.study_uid == study for s in visit)), None)
        if home is None:
            visits.append(own)
        else:
            home += own
    return visits


def _perfusion_of(visit: Sequence[_Series], settings: PrepareSettings, faults: list[Excluded]) -> _Perfusion | None:
    found: dict[str, list[tuple[Slice, ...]]] = defaultdict(list)
    rest: list[_Series] = []
    pictures = 0
    for one in visit:
        name = map_of(one.first)
        if name == MASK:
            continue
        if name is None:
            rest.append(one)
        elif no_image_fault(one.first) is not None:
            pictures += 1
        else:
            found[name].append(one.images)
    maps = {name: own[0] for name, own in found.items() if len(own) == 1}
    several = sorted(found.keys() - maps.keys())
    scans = tuple(image for one in rest for image in one.images if image.acquisition.modality == "CT")
    starts = {one.first.series_uid: one.start for one in visit}
    try:
        stack, _ = choose_perfusion(scans)
    except InputError as error:
        if several:
            faults.append(_several(several))
            return None
        if "tmax" in maps:
            return _Perfusion((), frozenset(), maps, starts[maps["tmax"][0].series_uid])
        if pictures:
            reason = "There are maps as pictures of colours only; `perfusynth colours` reads those one by one."
            faults.append(Excluded("colour_maps", reason))
        elif error.code != "not_a_perfusion_study":
            faults.append(excluded_for(error))
        return None
    if several and settings.preferred == "given":
        faults.append(_several(several))
        return None
    used = frozenset(image.series_uid for row in stack.images for image in row if image is not None)
    return _Perfusion(scans, used, maps, min((starts[uid] for uid in used), key=lambda s: s.dated_s or s.of_day_s or 0))


def _several(names: Sequence[str]) -> Excluded:
    reason = f"More than one series says that it is the map {', '.join(names)}: take away those that are not meant."
    return Excluded("several_maps", reason)


def map_of(image: Slice) -> str | None:
    """Which perfusion map an image says it is, or that it is a mask out of one; None for scans."""
    header = image.acquisition
    return map_named([*header.image_type[2:], header.series_description or ""])


def _pair(perfusion: _Perfusion, every: Sequence[_Series], damaged: int, settings: PrepareSettings) -> Study | Excluded:
    """The perfusion study with the plain CT of the same visit."""
    session = "\0".join(sorted(perfusion.used or {own[0].series_uid for own in perfusion.maps.values()}))
    near: list[_Series] = []
    apart: list[float | None] = []
    for one in every:
        if one.first.series_uid in perfusion.used or not _may_be_ncct(one.first):
            continue
        minutes = minutes_between(one.start, perfusion.start)
        apart.append(minutes)
        if minutes is not None and -CLOCKS_MINUTES <= minutes <= settings.minutes:
            near.append(one)
    if not near:
        return _no_partner(apart, settings.minutes, session)
    plain = [one for one in near if not _has_contrast(one.first)] or near
    try:
        chosen = choose([image for one in plain for image in one.images])
    except InputError as error:
        return excluded_for(error, session)
    uid = chosen.geometry.slices[0].series_uid
    ncct = next(one for one in plain if one.first.series_uid == uid)
    study = DicomStudy(
        ncct=ncct.images,
        ctp=perfusion.ctp,
        maps=perfusion.maps,
        minutes_apart=minutes_between(ncct.start, perfusion.start),
        damaged=damaged,
    )
    return Study(f"{session}\0{uid}", lambda on_progress: study.read(settings, on_progress))


def _may_be_ncct(image: Slice) -> bool:
    return image.acquisition.modality == "CT" and map_of(image) is None and no_image_fault(image) is None


def _has_contrast(image: Slice) -> bool:
    header = image.acquisition
    return header.names_contrast or bool(CONTRAST_WORDS.search(header.series_description or ""))


def _no_partner(apart: Sequence[float | None], limit: float, session: str) -> Excluded:
    known = [minutes for minutes in apart if minutes is not None]
    before = [minutes for minutes in known if minutes >= -CLOCKS_MINUTES]
    if not apart:
        return Excluded("no_ncct", "The patient has no other CT of slices.", session)
    if not known:
        return Excluded("unknown_time", "The headers do not say how long before it another CT was acquired.", session)
    if not before:
        return Excluded(
            "after_contrast", f"The other CT was acquired {-max(known):.0f} minutes later: it shows contrast.", session
        )
    return Excluded(
        "too_far_apart",
        f"The nearest CT before it was acquired {min(before):.0f} minutes earlier; at most {limit:g} are allowed.",
        session,
    )
