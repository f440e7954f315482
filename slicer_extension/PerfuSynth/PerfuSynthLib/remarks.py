"""What the reader must see beside the numbers, in the sentences of the server's own report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Remark(NamedTuple):
    """A sentence beside the numbers; a warning must not be missed."""

    is_warning: bool
    title: str
    text: str


def remarks_of(document: Mapping[str, Any]) -> list[Remark]:
    """Warnings and notes of a ``measurements.json`` of a synthetic result, in order.

    Raises
    ------
    KeyError, TypeError
        The document is damaged.
    """
    remarks = [
        Remark(True, "Warning", f"{check['message']} (found {check['got']}; expected {check['expected']})")
        for check in document.get("checks", [])
    ]
    overrides = document.get("overrides", [])
    if overrides:
        text = f"Synthesised although these checks refused the input: {', '.join(overrides)}."
        remarks.append(Remark(True, "Overridden", text))
    used = document["input"]
    if used["resampled"]:
        text = "The CT was not on an even orthogonal grid and has been resampled."
        remarks.append(Remark(False, "Resampled", text))
    remarks.extend(Remark(False, "Input", str(note)) for note in used.get("notes", []))
    domain = document.get("domain")
    if domain is not None:
        remarks.append(_how_usual(domain))
    withheld = (document.get("intervals") or {}).get("withheld")
    if withheld is not None:
        remarks.append(Remark(False, "Intervals withheld", str(withheld)))
    return remarks


def _how_usual(domain: Mapping[str, Any]) -> Remark:
    if domain["verdict"] == "not measured":
        return Remark(False, "Out-of-domain score not measured", str(domain["text"]))
    unusual = domain["verdict"] != "usual"
    title = "UNUSUAL INPUT" if unusual else "Input compared with the training patients"
    stands_out = domain.get("unusual") or []
    told = f" Sticks out: {'; '.join(stands_out)}." if stands_out else ""
    consequence = " The maps may mean nothing." if unusual else ""
    return Remark(unusual, title, f"{domain['text']}{consequence}{told}")
