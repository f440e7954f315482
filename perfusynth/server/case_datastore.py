"""The studies folder as MONAI Label's datastore: case folders and plain files, by safe ids.

``<studies>/<case>/ncct.nii.gz`` is the image ``<case>__ncct`` (``ctp`` likewise), ``<studies>/<name>.nii.gz`` is
``<name>``. MONAI Label's own local datastore works on a flat folder: it is given ``<studies>/.perfusynth``, where
``images/`` holds links to the files, ``labels/`` what annotators submit, ``label_history/`` what they submitted before
and ``fixed_images/`` what NCCTs are registered to (``<case>__fixed``, once somebody has asked for it). Source images
are never written or removed.
"""

import contextlib
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock
from monailabel.datastore.local import DataModel, ImageLabelModel, LocalDatastore

from perfusynth import atomic
from perfusynth.server.access.queries import IMAGE_ID, TAG
from perfusynth.server.label_history import LabelHistory
from perfusynth.server.registration.fixed_image import FixedImages

logger = logging.getLogger(__name__)

#: Modalities of a case folder that are served.
_MODALITIES = ("ncct", "ctp")
#: End of the ids of case folders' NCCTs.
_NCCT = "__ncct"
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
        self.own_folder = studies / ".perfusynth"
        self.fixed_images = FixedImages(self.own_folder / "fixed_images")
        self._links = self.own_folder / "images"
        self._history = LabelHistory(self.own_folder / "label_history")
        self._scan_every_s = scan_every_s
        self._scan_lock = threading.RLock()
        try:
            self._links.mkdir(parents=True, exist_ok=True)
            self._link_images()
        except OSError as error:
            raise PermissionError(
                f"{studies} cannot be written ({error.strerror}); links and labels are kept there, in .perfusynth."
            ) from error
        super().__init__(str(self.own_folder), "images", extensions=[f"*{ending}" for ending in _LABEL_ENDINGS])
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

    def case_folder(self, case: str) -> Path | None:
        """The folder of a case whose NCCT is served; None for any other name, whatever it looks like."""
        if self.get_image_uri(f"{case}{_NCCT}") and (self._studies / case / "ncct.nii.gz").is_file():
            return self._studies / case
        return None

    def case_folders(self) -> list[Path]:
        """The folders of all cases whose NCCT is served (blocking)."""
        self.refresh_if_old()
        with self._scan_lock:
            names = [image_id.removesuffix(_NCCT) for image_id in self._datastore.objects if image_id.endswith(_NCCT)]
        return [folder for folder in map(self.case_folder, names) if folder]

    def show_image(self, image_id: str, made: Path) -> None:
        """List a file that has just been made, without looking through the whole folder (blocking)."""
        with self._scan_lock:
            if self.get_image_uri(image_id):
                return
            name = f"{image_id}.nii.gz"
            self._link(name, made)
            about = DataModel(info={"ts": int(time.time()), "name": name}, ext=".nii.gz")
            self._datastore.objects[image_id] = ImageLabelModel(image=about)
            self._update_datastore_file()

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
        """Keep a label; one per image and tag, what was there before goes into the history.

        The label's file, the history and the index change by renames only: a crash leaves the old label or the new one.
        """
        if not TAG.fullmatch(label_tag):
            raise ValueError("not a tag")
        ending = next(ending for ending in _LABEL_ENDINGS if label_filename.endswith(ending))
        with self._scan_lock:
            labels = self._datastore.objects[image_id].labels
            target = Path(self._datastore.label_path(label_tag)) / f"{image_id}{ending}"
            previous = self.get_label_uri(image_id, label_tag)
            if previous and os.path.isfile(previous):
                self._history.keep(image_id, label_tag, Path(previous), self.get_label_info(image_id, label_tag))
            with atomic.replacing(target) as file, open(label_filename, "rb") as source:
                shutil.copyfileobj(source, file)
            known = {"ts": int(time.time()), "name": target.name}
            labels[label_tag] = DataModel(info=label_info | known, ext=ending)
            self._update_datastore_file()
            if previous and Path(previous) != target.resolve():
                Path(previous).unlink(missing_ok=True)  # another ending: it would come back at the next start
        return image_id

    def earlier_labels(self, image_id: str, label_tag: str) -> int:
        """How many labels the present one has taken the place of, one after another."""
        return self._history.count(image_id, label_tag)

    def update_image_info(self, image_id: str, info: dict[str, Any]) -> None:
        """Merge into what is kept about an image."""
        with self._scan_lock:
            super().update_image_info(image_id, info)

    def update_image_infos(self, infos: Mapping[str, Mapping[str, Any]]) -> None:
        """Merge into what is kept about several images; the index is written once, and only if something changes."""
        with self._scan_lock:
            changed = False
            for image_id, info in infos.items():
                known = self._datastore.objects.get(image_id)
                if known and known.image.info | dict(info) != known.image.info:
                    known.image.info.update(info)
                    changed = True
            if changed:
                self._update_datastore_file()

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

    def _update_datastore_file(self, lock: bool = True) -> None:
        """Write the index by rename: half of one, after a crash, would keep the server from starting."""
        path = Path(self._datastore_config_path)
        text = json.dumps(self._datastore.model_dump(exclude={"base_path"}), indent=2, default=str)
        with contextlib.ExitStack() as held:
            if lock:
                held.enter_context(FileLock(self._lock_file))
            atomic.write_bytes(path, text.encode())
            self._config_ts = path.stat().st_mtime

    # --- links

    def _link_images(self) -> None:
        self.fixed_images.remove_all_but({entry.name for entry in os.scandir(self._studies) if entry.is_dir()})
        wanted = dict(self._sources())
        have = {entry.name: entry for entry in os.scandir(self._links)}
        for name in have.keys() - wanted.keys():
            os.unlink(have[name].path)
        for name, source in wanted.items():
            self._link(name, source)

    def _link(self, name: str, source: Path) -> None:
        """Let ``images/<name>`` lead to a file."""
        link, target = self._links / name, os.path.relpath(source, self._links)
        if os.path.lexists(link):
            if link.is_symlink() and os.readlink(link) == target:
                return
            os.unlink(link)
        with contextlib.suppress(FileExistsError):
            os.symlink(target, link)

    def _sources(self) -> Iterator[tuple[str, Path]]:
        """Link name and file of every image; what leads out of the studies folder is left out."""
        skipped = 0
        inside = os.path.realpath(self._studies) + os.sep
        for entry in os.scandir(self._studies):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                files = [(f"{entry.name}__{m}", Path(entry.path) / f"{m}.nii.gz", ".nii.gz") for m in _MODALITIES]
                files.append((f"{entry.name}__fixed", self.fixed_images.path_of(entry.name), ".nii.gz"))
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
