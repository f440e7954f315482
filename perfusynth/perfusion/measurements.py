"""``measurements.json``: what was measured, on what, with what; the versioned model behind its published schema."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from perfusynth import atomic
from perfusynth.perfusion.deconvolution_block import Deconvolution
from perfusynth.perfusion.document_types import (
    Block,
    Distance,
    Ml,
    Number,
    Percent,
    Ratio,
    Seconds,
    Sha256,
    Share,
    Vector,
)
from perfusynth.perfusion.notices import notices_for

#: Version of the document; the first number changes when a reader of the old one would be misled. 1.1 added the block
#: ``deconvolution`` and banners on measured maps; 1.2 the block ``domain`` (in the place of ``out_of_domain``, which no
#: version had filled) and the core's interval.
SCHEMA_VERSION: Literal["1.2"] = "1.2"

Origin = Literal["synthetic", "deconvolved", "vendor", "colour_picture"]


class Core(Block):
    """Core estimate; ``threshold_cbf`` = fraction times ``normal_cbf``, mL/100 g/min."""

    ml: Ml
    threshold_fraction: Share
    threshold_cbf: Number
    normal_cbf: Number
    method: str


class SideOfDeficit(Block):
    """Where the hypoperfusion lies; ``right_share`` is absent without any."""

    side: Literal["right", "left", "bilateral", "none"]
    right_ml: Ml
    left_ml: Ml
    right_share: Share | None = None


class PlaneRas(Block):
    """Plane between the patient's halves, RAS+ mm; the normal points to the patient's right."""

    point: Vector
    normal: Vector


class Check(Block):
    """A finding of the input checks (`perfusynth.volumes.findings.Finding`)."""

    code: str
    severity: Literal["refuse", "warn"]
    message: str
    expected: str
    got: str


class Domain(Block):
    """How unlike the patients of the model's training the input is.

    ``score`` is a distance, 1 for the median patient; above ``limit`` the input is unusual. It is the larger of that of
    the network's own features (``network``) and that of plain figures of the image (``image``). ``percentile`` is the
    share of patients held out of the training who are less unusual, %: at 100 only ``score`` tells how far.
    ``unusual`` names the plain figures that stick out, in words.
    """

    verdict: Literal["usual", "unusual", "not measured"]
    text: str
    score: Distance | None = None
    limit: Distance | None = None
    percentile: Percent | None = None
    network: Distance | None = None
    image: Distance | None = None
    unusual: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _measured(self) -> "Domain":
        known = {self.score is not None, self.limit is not None, self.percentile is not None}
        if known != {self.verdict != "not measured"}:
            raise ValueError("expected score, limit and percentile, or the verdict 'not measured' and none of them")
        return self


class Intervals(Block):
    """Calibrated intervals of volumes in mL by threshold, or why they are withheld: one of the two.

    They belong to the volumes of this document alone. A viewer must not show them once a threshold was moved, a map or
    a mask was edited, or the volumes were measured anew.
    """

    withheld: str | None = None
    level: Share | None = None
    volumes_ml: dict[str, tuple[Ml, Ml]] | None = None
    core_ml: tuple[Ml, Ml] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "Intervals":
        if (self.withheld is None) == (self.volumes_ml is None) or (self.level is None) != (self.volumes_ml is None):
            raise ValueError("expected either a reason in withheld, or level and volumes_ml")
        if self.core_ml is not None and self.withheld is not None:
            raise ValueError("expected either a reason in withheld, or core_ml")
        return self


class ModelUsed(Block):
    """The model that made the maps."""

    task: str
    name: str
    version: str
    weights_sha256: Sha256
    family: str
    licence: str | None = None


class SoftwareUsed(Block):
    """The software that ran it."""

    name: str = "perfusynth"
    version: str


class InputUsed(Block):
    """The image that the maps were made from; nothing here identifies a patient."""

    sha256: Sha256
    kind: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[Number, Number, Number]
    resampled: bool
    notes: list[str] = Field(default_factory=list)
    is_phantom: bool


class MapFile(Block):
    """A map of the result; ``range`` is what the generator can put out, or what was measured, in ``unit``."""

    name: str
    file: str
    unit: str
    range: tuple[Number, Number]


class Measurements(Block):
    """The document. Blocks that a family does not have are absent (``None`` here)."""

    schema_version: Literal["1.0", "1.1", "1.2"] = SCHEMA_VERSION
    created: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    origin: Origin
    notices: list[str]
    validated_on: str | None = None
    volumes_ml: dict[str, Ml] | None = Field(None, description="mL by Tmax threshold in s: keys '4', '6', '8', '10'")
    core: Core | None = None
    mismatch_ml: Ml | None = None
    mismatch_ratio: Ratio | None = None
    mismatch_ratio_infinite: bool | None = None
    hir: Ratio | None = Field(None, description="hypoperfusion intensity ratio, V(Tmax>10 s) / V(Tmax>6 s)")
    laterality: SideOfDeficit | None = None
    brain_ml: Ml | None = None
    brain_method: str | None = Field(None, description="what found the brain, with its version")
    midplane: PlaneRas | None = None
    checks: list[Check] = Field(default_factory=list)
    overrides: list[str] = Field(default_factory=list)
    domain: Domain | None = None
    intervals: Intervals | None = None
    model: ModelUsed | None = None
    deconvolution: Deconvolution | None = None
    software: SoftwareUsed
    input: InputUsed
    maps: list[MapFile] = Field(default_factory=list)
    settings: dict[str, JsonValue] | None = Field(None, description="thresholds and clean-up of the regions")
    timings_s: dict[str, Seconds] = Field(default_factory=dict)

    @field_validator("created")
    @classmethod
    def _utc(cls, value: str) -> str:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None or moment.utcoffset() != UTC.utcoffset(None):
            raise ValueError(f"expected an ISO 8601 time in UTC, got {value!r}")
        return value

    @field_validator("settings")
    @classmethod
    def _finite(cls, value: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        json.dumps(value, allow_nan=False)
        return value

    @model_validator(mode="after")
    def _honest(self) -> "Measurements":
        missing = [line for line in notices_for(self.origin, self.validated_on) if line not in self.notices]
        if missing:
            raise ValueError(f"expected the notices {missing} on a result of origin {self.origin!r}")
        if self.origin == "synthetic" and (self.model is None or self.validated_on is None):
            raise ValueError("expected model and validated_on on a synthetic result")
        if self.origin == "deconvolved" and self.deconvolution is None:
            raise ValueError("expected the block deconvolution on a deconvolved result")
        if self.mismatch_ratio is not None and self.mismatch_ratio_infinite:
            raise ValueError("expected no mismatch_ratio where it is infinite")
        return self

    def as_json(self) -> str:
        """The document as text: absent blocks left out, plain numbers, no NaN."""
        content = self.model_dump(mode="json", exclude_none=True)
        return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def write_json(self, path: Path) -> None:
        """Write the document; the file appears whole by rename."""
        atomic.write_bytes(Path(path), self.as_json().encode())

    @classmethod
    def read_json(cls, path: Path) -> "Measurements":
        """Read a document.

        Raises
        ------
        pydantic.ValidationError
            The file is no document of this version.
        """
        return cls.model_validate_json(Path(path).read_bytes())


def json_schema() -> dict[str, Any]:
    """JSON schema of the document, as published in ``docs/measurements.schema.json``."""
    schema = Measurements.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "perfusynth measurements"}


def schema_text() -> str:
    """The text of the published schema file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
