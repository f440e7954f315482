"""Where maps come from: the document beside them, or their own headers; what is known cannot be talked away."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import ValidationError

from perfusynth.errors import InputError
from perfusynth.perfusion.colour_tables import MAP_DISPLAYS
from perfusynth.perfusion.deconvolution_block import DESCRIPTION_START, Deconvolution
from perfusynth.perfusion.measurements import Measurements, Origin
from perfusynth.perfusion.notices import FROM_COLOURS, SYNTHETIC
from perfusynth.volumes.volume import Volume

#: Documents that a folder of maps may hold, in the order in which they are asked.
DOCUMENTS = ("measurements.json", "colours.json", "maps.json")

#: Largest document that is read, bytes.
MAX_DOCUMENT_BYTES = 2**24

#: What a maps' own header starts with, by origin.
HEADER_STARTS: tuple[tuple[str, Origin], ...] = (
    (SYNTHETIC, "synthetic"),
    (DESCRIPTION_START, "deconvolved"),
    (FROM_COLOURS, "colour_picture"),
)


@dataclass(frozen=True, eq=False)
class MapOrigin:
    """What is known of maps.

    Parameters
    ----------
    origin
        As in `Measurements`.
    document
        The result that both maps belong to; ``None`` for anybody else's.
    deconvolution
        For ``deconvolved``: how; empty but for a note where it is not known.
    notes
        What the documents say that a reader must see.
    sides_known
        False: nobody knows which side of the picture was the patient's left.
    """

    origin: Origin
    document: Measurements | None = None
    deconvolution: Deconvolution | None = None
    notes: tuple[str, ...] = ()
    sides_known: bool = True


@dataclass(frozen=True)
class _Told:
    origin: Origin
    document: Measurements | None = None
    notes: tuple[str, ...] = ()
    sides_known: bool = True
    header: str = ""


def refuse_other_map(found: MapOrigin, path: Path, name: str) -> None:
    """Refuse a file that its own document says is another map.

    Raises
    ------
    InputError
        Code ``other_map``.
    """
    known = {} if found.document is None else {entry.file: entry.name for entry in found.document.maps}
    told = known.get(path.name, name)
    if told != name and told in MAP_DISPLAYS:
        raise InputError(
            f"This is no {MAP_DISPLAYS[name].label} map.",
            expected=f"a {MAP_DISPLAYS[name].label} map in {MAP_DISPLAYS[name].unit}",
            got=f"the {MAP_DISPLAYS[told].label} map of the result in its folder",
            hint="Give the Tmax map with --tmax and the CBF map with --cbf.",
            code="other_map",
        )


def origin_of(paths: Sequence[Path], volumes: Sequence[Volume], stated: Origin | None) -> MapOrigin:
    """The origin of maps that are measured together.

    Parameters
    ----------
    paths, volumes
        Each map's file and what was read from it.
    stated
        What the user says, believed where nothing else is known; ``None``: ``vendor`` then.

    Raises
    ------
    InputError
        Codes ``contradictory_origin`` (the maps say otherwise), ``mixed_origins`` (synthetic and measured maps),
        ``no_document`` (synthetic maps without their ``measurements.json``).
    """
    told = [_told(path, volume) for path, volume in zip(paths, volumes, strict=True)]
    # "vendor" is what is said where nobody knew better: a later statement may correct it.
    known = {each.origin for each in told if each and each.origin != "vendor"}
    origins: list[Origin] = [(each.origin if each and each.origin in known else stated or "vendor") for each in told]
    if "synthetic" in origins and len(set(origins)) > 1:
        raise _refusal(
            "A synthetic and a measured map cannot be measured together.", ", ".join(origins), "mixed_origins"
        )
    origin = origins[0]
    if len(set(origins)) > 1:
        origin = "colour_picture" if "colour_picture" in origins else "vendor"
    if stated is not None and known and stated not in known:
        raise _refusal(f"The maps are not of origin {stated}.", ", ".join(sorted(known)), "contradictory_origin")
    documents = [each.document for each in told if each and each.document]
    document = documents[0] if len(documents) == len(told) and all(d == documents[0] for d in documents) else None
    if origin == "synthetic" and document is None:
        raise _refusal("The synthetic maps have lost their measurements.json.", "maps without it", "no_document")
    notes = [note for each in told if each for note in each.notes]
    if len(set(origins)) > 1:
        notes.append(f"The maps are of different origin: {', '.join(origins)}.")
    deconvolution = None
    if origin == "deconvolved":
        said = next((each.header for each in told if each and each.header), "not known")
        kept = document.deconvolution if document else None
        deconvolution = kept or Deconvolution(notes=[f"Method and constants: {said}."])
    return MapOrigin(
        origin,
        document,
        deconvolution,
        tuple(dict.fromkeys(notes)),
        all(each.sides_known for each in told if each),
    )


def _told(path: Path, volume: Volume) -> _Told | None:
    """What the document beside a map, or its own header, says; ``None``: nothing."""
    for name in DOCUMENTS:
        content = _document(path.parent / name)
        files = [entry.get("file") for entry in content.get("maps", []) if isinstance(entry, dict)]
        if path.name not in files or content.get("origin") not in get_args(Origin):
            continue
        notes = content.get("notes")
        return _Told(
            cast(Origin, content["origin"]),
            _as_measurements(content),
            tuple(str(note) for note in notes) if isinstance(notes, list) else (),
            content.get("left_right") != "unknown",
        )
    if volume.header is None:
        return None
    line = bytes(volume.header["descrip"].tobytes()).split(b"\0")[0].decode("ascii", "replace")
    for start, origin in HEADER_STARTS:
        if line.startswith(start):
            return _Told(origin, header=line[len(start) :].strip("; ") if origin == "deconvolved" else "")
    return None


def _document(path: Path) -> dict[str, Any]:
    if not path.is_file() or path.stat().st_size > MAX_DOCUMENT_BYTES:
        return {}
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) and isinstance(content.get("maps"), list) else {}


def _as_measurements(content: dict[str, Any]) -> Measurements | None:
    try:
        return Measurements.model_validate(content)
    except ValidationError:
        return None


def _refusal(error: str, got: str, code: str) -> InputError:
    return InputError(
        error,
        expected="maps of one origin, as the document beside them or their headers tell it",
        got=got,
        hint="Measure maps in the folder of their result, and leave --origin out.",
        code=code,
    )
