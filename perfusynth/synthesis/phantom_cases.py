"""Whether an input is a digital patient of this project: the only inputs for which calibrated intervals are shown."""

import json
import sys
from functools import lru_cache
from pathlib import Path


def sample_data_folders() -> list[Path]:
    """Where the project's sample data lies: the checkout's folder, or the installed package's."""
    checkout = Path(__file__).resolve().parents[2] / "sample-data"
    return [folder for folder in (checkout, Path(sys.prefix) / "share/perfusynth/sample-data") if folder.is_dir()]


@lru_cache(maxsize=1)
def shipped_phantoms() -> frozenset[str]:
    """NCCT voxel hashes listed in ``sample-data/phantoms.json``."""
    hashes: set[str] = set()
    for folder in sample_data_folders():
        listing = folder / "phantoms.json"
        if listing.exists():
            hashes |= {case["ncct_sha256"] for case in json.loads(listing.read_text(encoding="utf-8"))["cases"]}
    return frozenset(hashes)


def is_phantom(ncct_sha256: str, source: Path) -> bool:
    """Whether the voxels' hash (int16 HU, nearest-RAS order) is listed, or stands in the ``case.json`` beside it."""
    if ncct_sha256 in shipped_phantoms():
        return True
    case = source.parent / "case.json"
    try:
        return json.loads(case.read_text(encoding="utf-8")).get("ncct_sha256") == ncct_sha256
    except (OSError, ValueError, AttributeError):
        return False
