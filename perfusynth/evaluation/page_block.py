"""A block of a document that a command writes anew."""

from pathlib import Path

from perfusynth import atomic
from perfusynth.errors import InputError


def put_between_markers(page: Path, name: str, text: str) -> None:
    """Replace what stands between ``<!-- name:begin -->`` and ``<!-- name:end -->`` in a page."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    content = page.read_text(encoding="utf-8")
    if content.count(begin) != 1 or content.count(end) != 1 or content.index(begin) > content.index(end):
        raise InputError(
            f"The page {page.name} has no place for the table.",
            expected=f"one line {begin} and, below it, one line {end}",
            got=f"{content.count(begin)} and {content.count(end)} of them",
            hint="Put both lines where the table belongs.",
            code="no_markers",
        )
    before, after = content.split(begin)[0], content.split(end)[1]
    atomic.write_bytes(page, f"{before}{begin}\n{text}{end}{after}".encode())
