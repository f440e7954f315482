"""Whether an input is a digital patient of this project: the only inputs for which calibrated intervals are shown."""

import json
from functools import lru_cache
from pathlib import Path

from perfusynth.shared_files import shared_folders


@lru_cache(maxsize=1)
def shipped_phantoms() -> frozenset[str]:
    """NCCT voxel hashes listed in ``sample-data/phantoms.json``."""
    hashes: set[str] = set()
    for folder in shared_folders("sample-data"):
        listing = folder / "phantoms.json"
        if listing.exists():
            hashes |= {case["ncct_sha256"] for case in json.loads(listing.read_text(encoding="utf-8"))["cases"]}
    return frozenset(hashes)


def is_phantom(ncct_sha256: str, source: Path) -> bool:
    """Whether the voxels' hash is listed, or stands in a phantom's ``case.json`` beside the source.

    The hash is `perfusynth.volumes.fingerprint.voxel_sha256`. A ``case.json`` of another ``kind`` (an imported study)
    counts for nothing.
    """
    if ncct_sha256 in shipped_phantoms():
        return True
    case = source.parent / "case.json"
    try:
        content = json.loads(case.read_text(encoding="utf-8"))
        return content.get("kind") == "phantom" and content.get("ncct_sha256") == ncct_sha256
    except (OSError, ValueError, AttributeError):
        return False
