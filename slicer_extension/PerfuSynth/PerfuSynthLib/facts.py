"""What a result's ``measurements.json`` says, typed, for everything that shows or measures the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .measurements import FROM_SERVER, Laterality, Measurements
from .midplane import Midplane
from .notices import with_notices
from .problems import Problem
from .region_settings import RegionSettings, settings_of
from .remarks import Remark, remarks_of

#: The first number of the document's version that this program reads; the second only ever adds.
SCHEMA_MAJOR = "1"

#: Why there are no intervals where the server gives no reason.
NO_INTERVALS = "The server sent no intervals with this result."


class ModelUsed(NamedTuple):
    """The model that made the maps, its weights' SHA-256 in full."""

    task: str
    name: str
    version: str
    weights_sha256: str
    family: str


class Intervals(NamedTuple):
    """Calibrated intervals of the server's volumes, or the reason why they are withheld.

    Attributes
    ----------
    withheld
        The reason; ``None`` where there are intervals.
    level
        Share of patients whose own volume lies inside.
    volumes_ml, core_ml
        Lower and upper ends, mL; by Tmax threshold in s, and of the core.
    """

    withheld: str | None
    level: float
    volumes_ml: Mapping[float, tuple[float, float]]
    core_ml: tuple[float, float] | None


class Facts(NamedTuple):
    """A result's document.

    Attributes
    ----------
    origin, notices, validated_on
        Where the maps come from, the banner's lines in order, what the model was validated on.
    model, software, created
        What made it, and when (ISO 8601, UTC).
    input_sha256, input_text, is_phantom
        Which image it was made from; nothing here identifies a patient.
    settings, midplane, normal_cbf
        What a viewer measures with; normal tissue's CBF in mL/100 g/min.
    measured
        The server's numbers.
    core_method
        The core's definition in words; empty where there is none.
    intervals
        Of the server's numbers alone; `interval.interval_of` says when they may be shown.
    remarks
        What the reader must see beside the numbers: warnings of the input checks, overrides, how usual the input is.
    out_of_domain
        Whether the input is unlike the patients of the model's training; ``None`` where that was not measured.
    """

    origin: str
    notices: tuple[str, ...]
    validated_on: str | None
    model: ModelUsed | None
    software: str
    created: str
    input_sha256: str
    input_text: str
    is_phantom: bool
    settings: RegionSettings
    midplane: Midplane | None
    normal_cbf: float | None
    measured: Measurements
    core_method: str
    intervals: Intervals
    remarks: tuple[Remark, ...]
    out_of_domain: bool | None

    @property
    def warnings(self) -> tuple[Remark, ...]:
        """The remarks that are warnings."""
        return tuple(remark for remark in self.remarks if remark.is_warning)

    @property
    def made_by(self) -> str:
        """Model and version in one line, for the corner of a view."""
        return f"{self.model.name} {self.model.version}" if self.model else self.software


def reading_of(document: Mapping[str, Any]) -> Facts:
    """Read ``measurements.json``.

    Parameters
    ----------
    document
        The JSON as the server sends it; keys that this program does not know are ignored.

    Raises
    ------
    Problem
        Code ``newer_result``: a version that this program would misread; ``bad_result``: something is missing or wrong.
    """
    try:
        version = str(document["schema_version"])
        if version.split(".")[0] == SCHEMA_MAJOR:
            return _facts(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Problem(
            "bad_result",
            "The result that came from the server is damaged.",
            "Synthesize again; if it stays so, tell the server's administrator.",
            f"measurements.json: {type(error).__name__}: {error}",
        ) from None
    raise Problem(
        "newer_result",
        f"The server describes its results in version {version}, which this extension does not know.",
        "Update the PerfuSynth extension.",
    )


def _facts(document: Mapping[str, Any]) -> Facts:
    origin, validated_on = str(document["origin"]), document.get("validated_on")
    settings = settings_of(document.get("settings") or {})
    core, used = document.get("core") or {}, document["input"]
    shape = " x ".join(str(int(n)) for n in used["shape"])
    spacing = " x ".join(f"{float(s):.3g}" for s in used["spacing_mm"])
    return Facts(
        origin=origin,
        notices=tuple(with_notices([str(line) for line in document["notices"]], origin, validated_on)),
        validated_on=validated_on,
        model=_model(document.get("model")),
        software=f"{document['software']['name']} {document['software']['version']}",
        created=str(document["created"]),
        input_sha256=str(used["sha256"]),
        input_text=f"{used['kind']}, {shape} voxels of {spacing} mm",
        is_phantom=bool(used["is_phantom"]),
        settings=settings,
        midplane=_midplane(document.get("midplane")),
        normal_cbf=float(core["normal_cbf"]) if core else None,
        measured=_measured(document, settings),
        core_method=str(core.get("method", "")),
        intervals=_intervals(document.get("intervals")),
        remarks=tuple(remarks_of(document)),
        out_of_domain=_out_of_domain(document.get("domain")),
    )


def _model(block: Mapping[str, Any] | None) -> ModelUsed | None:
    return None if block is None else ModelUsed(*(str(block[name]) for name in ModelUsed._fields))


def _midplane(block: Mapping[str, Any] | None) -> Midplane | None:
    if block is None:
        return None
    point, normal = (np.array(block[name], dtype=float) for name in ("point", "normal"))
    if point.shape != (3,) or normal.shape != (3,) or not normal[0] > 0:
        raise ValueError(f"expected a midplane whose normal points to the right, got {point}, {normal}")
    return Midplane(point, normal / np.linalg.norm(normal))


def _measured(document: Mapping[str, Any], settings: RegionSettings) -> Measurements:
    volumes = _by_threshold(document["volumes_ml"])
    side, core = document.get("laterality"), document.get("core")
    missing = [threshold for threshold in settings.tmax_thresholds_s if threshold not in volumes]
    if missing:
        raise ValueError(f"expected volumes of all thresholds, got none of {missing}")
    return Measurements(
        kind=FROM_SERVER,
        threshold_s=settings.hypoperfusion_s,
        region_ml=volumes[settings.hypoperfusion_s],
        volumes_ml=volumes,
        core_ml=None if core is None else float(core["ml"]),
        normal_cbf=None if core is None else float(core["normal_cbf"]),
        core_cbf=None if core is None else float(core["threshold_cbf"]),
        hir=document.get("hir"),
        laterality=None
        if side is None
        else Laterality(str(side["side"]), float(side["right_ml"]), float(side["left_ml"]), side.get("right_share")),
        brain_ml=float(document["brain_ml"]),
        settings=settings,
    )


def _by_threshold(block: Mapping[str, Any]) -> dict[float, Any]:
    return {float(key): value if isinstance(value, list) else float(value) for key, value in block.items()}


def _intervals(block: Mapping[str, Any] | None) -> Intervals:
    if block is None or block.get("volumes_ml") is None:
        return Intervals((block or {}).get("withheld") or NO_INTERVALS, 0.0, {}, None)
    volumes = {key: _ends(ends) for key, ends in _by_threshold(block["volumes_ml"]).items()}
    core = block.get("core_ml")
    return Intervals(None, float(block["level"]), volumes, None if core is None else _ends(core))


def _ends(ends: Any) -> tuple[float, float]:
    low, high = (float(end) for end in ends)
    if not 0 <= low <= high:
        raise ValueError(f"expected an interval of volumes in mL, got {low} to {high}")
    return low, high


def _out_of_domain(block: Mapping[str, Any] | None) -> bool | None:
    if block is None or block["verdict"] == "not measured":
        return None
    return block["verdict"] != "usual"
