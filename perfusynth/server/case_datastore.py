"""The studies folder as MONAI Label's datastore: case folders and plain files, by safe ids.

``<studies>/<case>/ncct.nii.gz`` is the image ``<case>__ncct`` (``ctp`` likewise), ``<studies>/<name>.nii.gz`` is
``<name>``. MONAI Label's own local datastore works on a flat folder: it is given ``<studies>/.perfusynth``, where
``images/`` holds links to the files and ``labels/`` what annotators submit. Source images are never written or removed.
"""

import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from monailabel.datastore.local import LocalDatastore

from perfusynth.server.access.queries import IMAGE_ID, TAG

logger = logging.getLogger(__name__)

#: Modalities of a case folder that are served.
_MODALITIES = ("ncct", "ctp")
#: Plain files that are served; also the endings of labels that the datastore finds again after a restart.
_IMAGE_ENDINGS = (".nii.gz", ".nii", ".nrrd")
_LABEL_ENDINGS = (*_IMAGE_ENDINGS, ".tfm", ".h5", ".json")


class CaseDatastore(LocalDatastore):
    """See the module.

    Parameters
    ----------
    studies
        The studies folder.
    scan_every_s
        The folder is looked through again when it was last seen longer ago than this, s.
    """

    def __init__(self, studies: Path, scan_every_s: float):
        self._studies = studies
        self._links = studies / ".perfusynth" / "images"
        self._scan_every_s = scan_every_s
        self._scan_lock = threading.RLock()
        try:
            self._links.mkdir(parents=True, exist_ok=True)
            self._link_images()
        except OSError as error:
            raise PermissionError(
                f"{studies} cannot be written ({error.strerror}); links and labels are kept there, in .perfusynth."
            ) from error
        super().__init__(str(studies / ".perfusynth"), "images", extensions=[f"*{ending}" for ending in _LABEL_ENDINGS])
        self._scanned = time.monotonic()

    # --- looking up

    def find_image(self, image_id: str) -> str:
        """Path of an image, or an empty text; looks for new files first when it is unknown (blocking)."""
        if image_id not in self._datastore.objects:
            self.refresh_if_old()
        return self.get_image_uri(image_id)

    def refresh_if_old(self) -> None:
        """See new and removed files, at most every ``scan_every_s`` (blocking)."""
        with self._scan_lock:
            if time.monotonic() - self._scanned >= self._scan_every_s:
                self.refresh()

    def refresh(self) -> None:
        """See new and removed files (blocking)."""
        with self._scan_lock:
            self._link_images()
            super().refresh()
            self._scanned = time.monotonic()

    def get_image_uri(self, image_id: str) -> str:
        """Path of an image, or an empty text."""
        path: str = super().get_image_uri(image_id)
        return path if path and os.path.isfile(path) else ""

    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """What is kept about an image; not where it lies."""
        return {name: value for name, value in super().get_image_info(image_id).items() if name != "path"}

    def datalist(self, full_path: bool = True) -> list[dict[str, Any]]:
        """Labelled images and their labels; without ``full_path``, paths below the studies folder."""
        pairs: list[dict[str, Any]] = super().datalist()
        if full_path:
            return pairs
        start = os.path.realpath(self._studies)
        return [{name: os.path.relpath(path, start) for name, path in pair.items()} for pair in pairs]

    # --- writing

    def add_new_image(self, image_id: str, source: Path, info: dict[str, Any]) -> bool:
        """Keep an image under an id that no other has; False when one has it (blocking)."""
        if not IMAGE_ID.fullmatch(image_id) or "__" in image_id:
            raise ValueError("not an id for a new image")
        ending = next(ending for ending in _IMAGE_ENDINGS if source.name.endswith(ending))
        with self._scan_lock:
            if image_id in self._datastore.objects or any(self._studies.glob(f"{image_id}.*")):
                return False
            target = self._studies / f"{image_id}{ending}"
            part = target.with_name(f".{target.name}.part")
            try:
                shutil.copyfile(source, part)
                os.replace(part, target)
            finally:
                part.unlink(missing_ok=True)  # the disk was full
            self.refresh()
            self.update_image_info(image_id, info)
        return True

    def save_label(self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]) -> str:
        """Keep a label; one per image and tag."""
        if not TAG.fullmatch(label_tag):
            raise ValueError("not a tag")
        with self._scan_lock:
            previous = self.get_label_uri(image_id, label_tag)
            label_id: str = super().save_label(image_id, label_filename, label_tag, label_info)
            if previous and previous != self.get_label_uri(image_id, label_tag):
                Path(previous).unlink(missing_ok=True)  # another ending: it would come back at the next start
        return label_id

    def update_image_info(self, image_id: str, info: dict[str, Any]) -> None:
        """Merge into what is kept about an image."""
        with self._scan_lock:
            super().update_image_info(image_id, info)

    def update_label_info(self, label_id: str, label_tag: str, info: dict[str, Any]) -> None:
        """Merge into what is kept about a label."""
        with self._scan_lock:
            super().update_label_info(label_id, label_tag, info)

    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        """Refused: see `add_new_image`, which replaces nothing."""
        raise PermissionError("images are added by add_new_image")

    def remove_image(self, image_id: str) -> None:
        """Refused: source images stay."""
        raise PermissionError("images are not removed through the server")

    # --- links

    def _link_images(self) -> None:
        wanted = dict(self._sources())
        have = {entry.name: entry for entry in os.scandir(self._links)}
        for name in have.keys() - wanted.keys():
            os.unlink(have[name].path)
        for name, source in wanted.items():
            target = os.path.relpath(source, self._links)
            if name in have:
                if have[name].is_symlink() and os.readlink(have[name].path) == target:
                    continue
                os.unlink(have[name].path)
            with contextlib.suppress(FileExistsError):
                os.symlink(target, self._links / name)

    def _sources(self) -> Iterator[tuple[str, Path]]:
        """Link name and file of every image; what leads out of the studies folder is left out."""
        skipped = 0
        inside = os.path.realpath(self._studies) + os.sep
        for entry in os.scandir(self._studies):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                files = [(f"{entry.name}__{m}", Path(entry.path) / f"{m}.nii.gz", ".nii.gz") for m in _MODALITIES]
            else:
                ending = next((ending for ending in _IMAGE_ENDINGS if entry.name.endswith(ending)), "")
                files = [(entry.name.removesuffix(ending), Path(entry.path), ending)] if ending else []
            for image_id, path, ending in files:
                if not path.is_file():
                    continue
                if IMAGE_ID.fullmatch(image_id) and os.path.realpath(path).startswith(inside):
                    yield f"{image_id}{ending}", path
                else:
                    skipped += 1
        if skipped:
            logger.warning("%d files of the studies folder are not served: odd names, or links out of it", skipped)
