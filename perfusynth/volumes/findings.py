"""A finding: something about an input that refuses it or that its reader must know."""

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["refuse", "warn"]


@dataclass(frozen=True)
class Finding:
    """One result of a check.

    Parameters
    ----------
    code
        Stable name, for example ``contrast_in_vessels``; an override names it.
    severity
        ``refuse``: not synthesised unless the override names the code; ``warn``: told beside the result.
    message
        One sentence for a radiologist: what was found, and what to do.
    expected, got
        The limit, and the measured value, with units.
    """

    code: str
    severity: Severity
    message: str
    expected: str
    got: str

    def as_dict(self) -> dict[str, str]:
        """Plain JSON values."""
        return asdict(self)
