"""Labels that others took the place of: kept beside the present ones, so that no reader's work is lost silently.

``<studies>/.perfusynth/label_history/<tag>/<image id>/<number><ending>``, with what was known of it in
``<number>.info.json``; numbers grow from 1, the oldest. Nothing here is served or removed by the server.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from perfusynth import atomic

#: Digits of a number, so that names sort.
_DIGITS: Final = 4
#: Ending of the notes; labels may be .json themselves.
_NOTE: Final = ".info.json"


class LabelHistory:
    """The history of one datastore; its caller lets no two writers in.

    Parameters
    ----------
    folder
        Where it lies; made when first needed.
    """

    def __init__(self, folder: Path):
        self._folder = folder

    def keep(self, image_id: str, tag: str, label: Path, info: dict[str, Any]) -> int:
        """Keep a label that is about to be replaced (blocking).

        Returns
        -------
        Its number: so many are kept now.
        """
        number = self.count(image_id, tag) + 1
        ending = label.name.removeprefix(image_id)
        name = f"{number:0{_DIGITS}}"
        target = self._of(image_id, tag) / f"{name}{ending}"
        target.parent.mkdir(parents=True, exist_ok=True)
        # The note last: it is what counts, so that a crash between the two leaves a file that is written over.
        target.unlink(missing_ok=True)
        try:
            os.link(label, target)
        except OSError:
            shutil.copyfile(label, target)
        atomic.write_bytes(target.parent / f"{name}{_NOTE}", json.dumps(info, indent=2).encode())
        return number

    def count(self, image_id: str, tag: str) -> int:
        """How many are kept."""
        notes = self._of(image_id, tag).glob(f"[0-9]*{_NOTE}")
        return max((int(note.name.removesuffix(_NOTE)) for note in notes), default=0)

    def _of(self, image_id: str, tag: str) -> Path:
        return self._folder / tag / image_id
