"""The three ways to ask: our jobs, our ``/infer``, and the stock server's ``/infer``. Results are held as bytes."""

import io
import json
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

TASK = "ncct_perfusion"
#: Seconds between two looks at a job.
POLL_S = 0.05
#: No request takes longer, on however busy a machine.
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Answer:
    """What came back.

    Parameters
    ----------
    seconds
        From before the upload until the result's last byte is here.
    content
        The result.
    """

    seconds: float
    content: bytes

    @property
    def megabytes(self) -> float:
        """Bytes that the server sent as the result, in MB (10^6)."""
        return len(self.content) / 1e6

    def measurements(self) -> dict[str, Any]:
        """``measurements.json`` of a job's result."""
        with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
            return dict(json.loads(archive.read("measurements.json")))


def our_job(url: str, scan: Path) -> Answer:
    """Upload, poll, fetch; the job is removed afterwards, outside the time."""
    with session() as http:
        started = time.perf_counter()
        with scan.open("rb") as stream:
            job = _json(http.post(f"{url}/jobs/{TASK}", files={"ncct": ("ncct.nii.gz", stream)}, timeout=TIMEOUT_S))
        address, end = f"{url}/jobs/{job['id']}", time.monotonic() + TIMEOUT_S
        while job["state"] in ("queued", "running"):
            if time.monotonic() > end:
                raise TimeoutError(f"a job has not ended after {TIMEOUT_S:g} s")
            time.sleep(POLL_S)
            job = _json(http.get(address, timeout=TIMEOUT_S))
        if job["state"] != "done":
            raise RuntimeError(f"a job {job['state']}: {job['error']}")
        result = http.get(f"{address}/result", timeout=TIMEOUT_S)
        result.raise_for_status()
        answer = Answer(time.perf_counter() - started, result.content)
        http.delete(address, timeout=TIMEOUT_S)
    return answer


def our_infer(url: str, scan: Path) -> Answer:
    """MONAI Label's own request, answered by our server."""
    return _infer(f"{url}/infer/{TASK}", scan, {})


def stock_infer(url: str, scan: Path, *, busy_s: float = 0.0) -> Answer:
    """The same request to the stock server, whose task is busy for that long."""
    return _infer(f"{url}/infer/no_op", scan, {"seconds": busy_s})


def session() -> requests.Session:
    """A session that no proxy of the environment takes away from loopback."""
    http = requests.Session()
    http.trust_env = False
    return http


def _infer(address: str, scan: Path, params: dict[str, Any]) -> Answer:
    with session() as http:
        started = time.perf_counter()
        with scan.open("rb") as stream:
            result = http.post(
                address,
                files={"file": ("ncct.nii.gz", stream)},
                data={"params": json.dumps(params)} if params else None,
                timeout=TIMEOUT_S,
            )
        result.raise_for_status()
        return Answer(time.perf_counter() - started, result.content)


def _json(answer: requests.Response) -> dict[str, Any]:
    if not answer.ok:
        raise RuntimeError(f"the server answered {answer.status_code}: {answer.text[:500]}")
    return dict(answer.json())
