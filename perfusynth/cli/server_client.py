"""A small client of the server's jobs: submit, watch, fetch, cancel."""

import contextlib
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import requests

from perfusynth.errors import InputError, PerfusynthError
from perfusynth.progress import OnProgress

#: Seconds to wait for an answer; an upload of a large DICOM zip on loopback takes a few.
TIMEOUT_S = 120.0
#: Seconds between two looks at a job.
POLL_S = 0.2


class ServerClient:
    """Talks to one server.

    Parameters
    ----------
    address
        Base address, for example ``http://127.0.0.1:8000``.
    token
        Access token, where the server asks for one.
    """

    def __init__(self, address: str, token: str = ""):
        self.address = address.rstrip("/")
        self._session = requests.Session()
        # A proxy of the environment would get the images, or refuse a server on this machine.
        self._session.trust_env = False
        if token:
            self._session.headers["Authorization"] = f"Bearer {token}"

    def is_ready(self) -> bool:
        """Whether a worker has loaded its model; ``False`` also while the server is not there yet."""
        try:
            answer = self._session.get(f"{self.address}/health", timeout=5)
            status: dict[str, Any] = answer.json()
        except requests.RequestException:
            return False
        return answer.status_code == 200 and status.get("status") == "ok"

    def synthesize(self, task: str, modality: str, source: Path | str, out: Path, on_progress: OnProgress) -> None:
        """Run one job and unpack its result into the existing folder ``out``.

        Parameters
        ----------
        task, modality
            Names of the task and of its input.
        source
            A path that is uploaded (a folder as a zip), or a string: the id of an image of the server's studies.
        out
            Existing folder.
        on_progress
            Told the server's stage and fraction; when it raises, the server's job is cancelled.

        Raises
        ------
        InputError
            The server refused the input, with the server's own words.
        PerfusynthError
            The job was cancelled or the server failed.
        """
        job = self._submit(task, modality, source)
        try:
            while job["state"] in ("queued", "running"):
                on_progress(job["stage"], job["percent"] / 100)
                time.sleep(POLL_S)
                job = self._json(self._session.get(f"{self.address}/jobs/{job['id']}", timeout=TIMEOUT_S))
        except BaseException:
            with contextlib.suppress(requests.RequestException):  # the server may be what failed
                self._session.delete(f"{self.address}/jobs/{job['id']}", timeout=TIMEOUT_S)
            raise
        if job["state"] != "done":
            raise _as_error(job.get("error") or {"error": f"The job was {job['state']}."})
        answer = self._session.get(f"{self.address}/jobs/{job['id']}/result", timeout=TIMEOUT_S)
        answer.raise_for_status()
        with tempfile.TemporaryFile() as file:
            file.write(answer.content)
            with zipfile.ZipFile(file) as archive:
                archive.extractall(out)

    def _submit(self, task: str, modality: str, source: Path | str) -> dict[str, Any]:
        url = f"{self.address}/jobs/{task}"
        if isinstance(source, str):
            return self._json(self._session.post(url, json={"inputs": {modality: source}}, timeout=TIMEOUT_S))
        with tempfile.TemporaryDirectory() as folder:
            # The part's name only: file names and their endings may carry a patient's name and never travel; the
            # server looks at the content.
            upload = _zipped(source, Path(folder)) if source.is_dir() else source
            with upload.open("rb") as stream:
                return self._json(self._session.post(url, files={modality: (modality, stream)}, timeout=TIMEOUT_S))

    @staticmethod
    def _json(answer: requests.Response) -> dict[str, Any]:
        try:
            content = answer.json()
        except ValueError:
            content = {"error": f"The server answered {answer.status_code}."}
        if not answer.ok:
            raise _as_error(content)
        return content


def _as_error(content: dict[str, Any]) -> PerfusynthError:
    if {"error", "expected", "got", "hint"} <= set(content):
        fields = {name: str(content[name]) for name in ("expected", "got", "hint")}
        return InputError(content["error"], code=content.get("code", "bad_input"), **fields)
    return PerfusynthError(str(content.get("error", content)))


def _zipped(folder: Path, into: Path) -> Path:
    target = into / "dicom.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
            archive.write(path, f"{number:06d}.dcm")
    return target
