"""The PerfuSynth server as seen from Slicer: one method a question."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import requests

from .grid_volume import GridVolume
from .http_connection import HttpConnection, OnBytes, Timeouts
from .multipart_file import MultipartFile
from .nifti_file import read_image, write_nifti
from .problems import Problem
from .result_package import SynthesisResult, read_result
from .server_answers import JobStatus, Model, job_status, json_object, models_of, not_understood
from .server_settings import ServerSettings

#: Most bytes of a result's zip and of a study: five times a head CT of 512x512x400, as the server's own limit. [d]
MAX_RESULT_BYTES = MAX_IMAGE_BYTES = 1024**3
#: What images and labels are called on their way: names of nodes and files may hold a patient's.
IMAGE_NAME, LABEL_NAME = "ncct.nii.gz", "label.nii.gz"
#: Under which tag an edited region goes back to the server.
EDITED_TAG = "hypoperfusion-edited"
#: The modality that this module sends.
NCCT = "ncct"
_JOB_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class PerfuSynthClient:
    """Asks one server; may be used from several threads. Every method may raise `Problem`.

    Parameters
    ----------
    settings
        Which server, and as whom.
    timeouts
        How long is waited.
    """

    def __init__(self, settings: ServerSettings, timeouts: Timeouts = Timeouts()):  # noqa: B008 - immutable
        self.settings = settings
        self._http = HttpConnection(settings, timeouts)

    # --- what there is

    def info(self) -> dict[str, Any]:
        """The server's description of itself: MONAI Label's, with a block ``perfusynth``."""
        return json_object(self._http.get("/info/"))

    def health(self) -> str:
        """``ok`` or ``warming``; a server that cannot work is a problem (503)."""
        return str(json_object(self._http.get("/health")).get("status", ""))

    def models(self) -> list[Model]:
        """The live models."""
        return models_of(self.info())

    def card(self, task: str) -> str:
        """The model card of a task's live model, Markdown."""
        answer = self._http.get(f"/models/{quote(task, safe='')}/card")
        answer.encoding = "utf-8"
        return answer.text

    def studies(self) -> list[str]:
        """Ids of the NCCTs (and images of unknown kind) in the server's datastore."""
        found = json_object(self._http.get("/datastore/", {"output": "all"}))
        objects = found.get("objects", found)
        ids = [str(image) for image in objects] if isinstance(objects, dict) else []
        return sorted(image for image in ids if "__" not in image or image.endswith(f"__{NCCT}"))

    def image(self, image_id: str, on_bytes: OnBytes | None = None) -> GridVolume:
        """An image of the datastore, HU."""
        with _private_folder() as folder:
            path = folder / "image"
            self._http.download(
                "/datastore/image", path, params={"image": image_id}, max_bytes=MAX_IMAGE_BYTES, on_bytes=on_bytes
            )
            return read_image(path)

    # --- a synthesis

    def submit(
        self,
        task: str,
        ncct: GridVolume | str,
        overrides: Sequence[str] = (),
        on_share: Callable[[float], None] | None = None,
    ) -> str:
        """Queue a synthesis. Never repeated by itself: it may have arrived though no answer came.

        Parameters
        ----------
        task
            As in `Model`.
        ncct
            A volume to upload (HU), or the id of a study of the server.
        overrides
            Codes of refusals that the user takes responsibility for.
        on_share
            Told the share of the upload that has left; may raise to stop it.

        Returns
        -------
        The job's id.

        Raises
        ------
        Problem
            Code ``no_consent``: nobody agreed that images go to this server; else as the server says.
        """
        path = f"/jobs/{quote(task, safe='')}"
        options = {"override": list(overrides)} if overrides else {}
        if isinstance(ncct, str):
            body = json.dumps({"inputs": {NCCT: ncct}, "options": options})
            answer = self._http.send("POST", path, data=body, headers={"Content-Type": "application/json"})
        else:
            if not self.settings.consent:
                raise Problem(
                    "no_consent",
                    "Nobody has agreed that images are sent to this server.",
                    "Agree to it under Connect; the image leaves this machine then.",
                )
            fields = {"options": json.dumps(options)} if options else {}
            answer = self._upload("POST", path, ncct, NCCT, IMAGE_NAME, fields, on_share=on_share)
        job_id = json_object(answer).get("id")
        if not isinstance(job_id, str) or not _JOB_ID.fullmatch(job_id):
            raise not_understood("no job's id")
        return job_id

    def status(self, job_id: str) -> JobStatus:
        """How far a job is."""
        return job_status(json_object(self._http.get(f"/jobs/{job_id}")))

    def download_result(self, job_id: str, target: Path, on_bytes: OnBytes | None = None) -> None:
        """Stream a finished job's zip to a file."""
        self._http.download(f"/jobs/{job_id}/result", target, max_bytes=MAX_RESULT_BYTES, on_bytes=on_bytes)

    def result(self, job_id: str, on_bytes: OnBytes | None = None) -> SynthesisResult:
        """A finished job's maps and measurements."""
        with _private_folder() as folder:
            path = folder / "result.zip"
            self.download_result(job_id, path, on_bytes)
            return read_result(path)

    def cancel(self, job_id: str) -> None:
        """Stop a job, or remove one that has ended with its result. One that is gone already is no problem."""
        try:
            self._http.send("DELETE", f"/jobs/{job_id}")
        except Problem as problem:
            if getattr(problem, "status", 0) not in (404, 410):
                raise

    # --- what goes back

    def send_label(self, image_id: str, label: GridVolume, tag: str = EDITED_TAG) -> str:
        """Keep a label for an image of the datastore; asks for the role annotator on most servers.

        Parameters
        ----------
        image_id
            As `studies` lists it.
        label
            Whole numbers 0 to 255 on the image's grid.
        tag
            Under which it is kept.

        Returns
        -------
        The label's id.
        """
        labels = GridVolume(np.asarray(label.array).astype(np.uint8), label.affine)
        params = {"image": image_id, "tag": tag}
        answer = self._upload("PUT", "/datastore/label", labels, "label", LABEL_NAME, {}, params=params)
        return str(json_object(answer).get("label", ""))

    def _upload(
        self,
        method: str,
        path: str,
        volume: GridVolume,
        part: str,
        filename: str,
        fields: dict[str, str],
        params: dict[str, str] | None = None,
        on_share: Callable[[float], None] | None = None,
    ) -> requests.Response:
        with _private_folder() as folder:
            file = folder / filename
            write_nifti(file, volume)
            with MultipartFile(file, part, filename, fields, on_share) as body:
                return self._http.send(
                    method,
                    path,
                    params=params,
                    data=body,
                    headers={"Content-Type": body.content_type},
                    answer_s=self._http.timeouts.submit_s,
                )


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """For images on their way: this user's alone (mode 0700), gone afterwards."""
    try:
        with tempfile.TemporaryDirectory(prefix="perfusynth-") as folder:
            yield Path(folder)
    except OSError as error:
        raise Problem("disk", "There is no room for a temporary file.", "Make room on the disk.", str(error)) from None
