"""What is told beside a transform file: direction, method, figures, author, time, software."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import numpy as np

from perfusynth import __version__
from perfusynth.registration.register import Registered
from perfusynth.volumes.case_registration import CaseRegistration

#: How the ``.tfm`` maps; the same in every sidecar, so that nobody has to guess.
DIRECTION = "fixed to moving, LPS"
#: Who says so where no person does.
AUTHOR = f"perfusynth {__version__}"


def automatic_registration(found: Registered, author: str = AUTHOR) -> CaseRegistration:
    """A registration as `keep_registration` takes it, of now."""
    return automatic(found.fixed_to_moving, author, found.probability_over_2mm, figures=found.figures)


def automatic(
    fixed_to_moving: np.ndarray,
    author: str,
    probability_over_2mm: float | None = None,
    *,
    figures: Mapping[str, float] = MappingProxyType({}),
    reason: str = "",
) -> CaseRegistration:
    """What no annotator has looked at, of now; without a probability nobody trains on it."""
    return CaseRegistration(
        fixed_to_moving,
        "automatic",
        probability_over_2mm,
        reason=reason,
        author=author,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        software=f"perfusynth {__version__}",
        figures=figures,
    )


def sidecar(registration: CaseRegistration, **more: Any) -> bytes:
    """JSON to lie beside a ``.tfm``: ``direction`` is the file's, ``fixed_to_moving`` the same motion in RAS mm.

    ``more`` are further fields with plain values.
    """
    content = {
        "direction": DIRECTION,
        **registration.as_dict(),
        **more,
        "fixed_to_moving": registration.fixed_to_moving.tolist(),
    }
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode("utf-8")
