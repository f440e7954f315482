"""Public data for development and demonstration: found beside the checkout, else fetched and checked file by file."""

import json
import os
from pathlib import Path
from typing import Any

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.shared_files import shared_folders

#: Folder that holds public data items as subfolders.
DATA_VARIABLE = "PERFUSYNTH_DATA"
#: Seconds to wait for a public server before a file counts as out of reach.
TIMEOUT_S = 30


def registry() -> dict[str, dict[str, Any]]:
    """What `sample-data/registry.json` says: source, licence and SHA-256 of the files of each item."""
    for folder in shared_folders("sample-data"):
        path = folder / "registry.json"
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))
    raise FileNotFoundError("sample-data/registry.json is neither in the checkout nor installed")


def public_data(name: str, *, cache: Path | None = None, on_progress: OnProgress = ignore_progress) -> Path:
    """Folder of one public data item.

    ``$PERFUSYNTH_DATA/<name>`` where that is a folder; else the item is fetched from its public source into ``cache``
    (default: the user's cache folder), each file checked by SHA-256.

    Raises
    ------
    InputError
        Codes ``unknown_data``, ``data_not_fetchable`` and ``fetch_failed``.
    """
    beside = os.environ.get(DATA_VARIABLE)
    if beside and (Path(beside) / name).is_dir():
        return Path(beside) / name
    known = registry()
    if name not in known:
        raise InputError(
            "There is no such public data.",
            expected=f"one of {', '.join(known)}",
            got=name[:60],
            hint="See sample-data/registry.json.",
            code="unknown_data",
        )
    item = known[name]
    if not item["bases"]:
        raise InputError(
            "This public data cannot be fetched file by file.",
            expected=f"the folder {name} under ${DATA_VARIABLE}",
            got="no such folder",
            hint=f"Make it from its source: {item['source']}.",
            code="data_not_fetchable",
        )
    import pooch

    folder = (cache or pooch.os_cache("perfusynth")) / name
    for k, (file, facts) in enumerate(item["files"].items()):
        on_progress("fetch", k / len(item["files"]))
        _fetch(folder, file, facts, item["bases"])
    return folder


def _fetch(folder: Path, file: str, facts: dict[str, Any], bases: list[str]) -> None:
    import pooch

    target = folder / file
    fault: Exception | None = None
    for base in bases:
        try:
            pooch.retrieve(
                base + facts["remote"],
                known_hash="sha256:" + facts["sha256"],
                fname=target.name,
                path=target.parent,
                downloader=pooch.HTTPDownloader(timeout=TIMEOUT_S),
            )
            return
        except (OSError, ValueError) as problem:  # requests' errors are OSErrors, a wrong checksum is a ValueError
            fault = problem
    raise InputError(
        "Public data could not be fetched.",
        expected=f"{facts['remote']} from {bases[0]} with the SHA-256 of the registry",
        got="another file" if isinstance(fault, ValueError) else f"no answer ({type(fault).__name__})",
        hint=f"Check the network, or put the files into a folder and name its parent in ${DATA_VARIABLE}.",
        code="fetch_failed",
    ) from None
