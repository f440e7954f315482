"""A result as one stored zip; maps are compressed already."""

import os
import zipfile
from pathlib import Path


def zip_result(folder: Path, target: Path) -> Path:
    """Pack a result's files, uncompressed, into ``target``; it appears by rename."""
    part = target.with_name(target.name + ".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.iterdir()):
            if path.is_file():
                archive.write(path, path.name)
    os.replace(part, target)
    return target
