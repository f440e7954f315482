"""``case.json``: what is known of a case folder beside its volumes."""

import json
import re
from pathlib import Path
from typing import Any

from perfusynth import atomic

#: Name of the file. An importer writes it last: a folder that has it is complete.
CASE_FILE = "case.json"


def read_case_file(folder: Path) -> dict[str, Any]:
    """What ``case.json`` of a case folder holds.

    Raises
    ------
    OSError
        There is none, or it cannot be read.
    ValueError
        It is no JSON object.
    """
    content = json.loads((folder / CASE_FILE).read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{CASE_FILE} holds no object")
    return content


def write_case_file(folder: Path, content: dict[str, Any]) -> None:
    """Write ``case.json``, by rename; innermost lists (rows of matrices, times) stand on one line."""
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
    text = re.sub(r"\[[^][{}\"]*\]", lambda found: f"[{' '.join(found[0][1:-1].split())}]", text)
    atomic.write_bytes(folder / CASE_FILE, (text + "\n").encode())
