"""One digital patient as plain numbers, drawn from a seed; each room draws its own part."""

import dataclasses
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from perfusynth.phantom.arteries.traits import ArteryTraits, draw_arteries
from perfusynth.phantom.ct.traits import AttenuationTraits, draw_attenuation
from perfusynth.phantom.ctp.traits import CirculationTraits, draw_circulation
from perfusynth.phantom.head.traits import HeadTraits, draw_head
from perfusynth.phantom.lattice import stream
from perfusynth.phantom.mr.traits import MrTraits, draw_mr
from perfusynth.phantom.stroke.traits import NEVER_ILL, Stroke, draw_stroke

#: Age, years: mean, SD, limits [d].
AGE_YEARS, AGE_LIMITS = (70.0, 13.0), (30.0, 95.0)


@dataclass(frozen=True)
class Patient:
    """Every number that was drawn, by room; random fields follow from ``seed``."""

    seed: int
    age: float
    head: HeadTraits
    arteries: ArteryTraits
    circulation: CirculationTraits
    attenuation: AttenuationTraits
    mr: MrTraits
    stroke: Stroke

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return _plain(asdict(self))

    def with_stroke(self, **changes: Any) -> "Patient":
        """The same patient with other values of the stroke's traits."""
        return dataclasses.replace(self, stroke=dataclasses.replace(self.stroke, **changes))

    def with_head(self, **changes: Any) -> "Patient":
        """The same patient with other values of the head's traits."""
        return dataclasses.replace(self, head=dataclasses.replace(self.head, **changes))

    def without_deficit(self) -> "Patient":
        """The twin: the same head, never ill."""
        return self.with_stroke(**NEVER_ILL)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def draw_patient(seed: int) -> Patient:
    """Draw a patient; the same seed gives the same patient on every machine."""
    age = float(np.clip(stream(seed, "age").normal(*AGE_YEARS), *AGE_LIMITS))
    head = draw_head(seed, age)
    return Patient(
        seed=int(seed),
        age=age,
        head=head,
        arteries=draw_arteries(seed),
        circulation=draw_circulation(seed, age),
        attenuation=draw_attenuation(seed, age),
        mr=draw_mr(seed),
        stroke=draw_stroke(seed, old_infarct=bool(head.old_infarcts)),
    )
