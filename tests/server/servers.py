"""Real servers on ephemeral loopback ports, and what tests do with them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

HERE = Path(__file__).parent
#: A server's start on a busy machine, s.
START_S = 300.0


@dataclass
class Server:
    """A running server: its address, folders, and tokens by role."""

    url: str
    home: Path
    studies: Path
    work: Path
    process: subprocess.Popen
    log: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def headers(self, role: str | None = "user") -> dict[str, str]:
        """What a caller of that role sends."""
        return {"Authorization": f"Bearer {self.tokens[role]}"} if role and self.tokens else {}

    def call(self, method: str, path: str, role: str | None = "user", **arguments) -> requests.Response:
        """One request."""
        headers = self.headers(role) | arguments.pop("headers", {})
        return requests.request(method, self.url + path, headers=headers, timeout=60, **arguments)

    def submit(self, image: bytes, role: str | None = "user", task: str = "ncct_perfusion", **data) -> str:
        """Queue an upload; returns the job's id."""
        answer = self.call("POST", f"/jobs/{task}", role, files={"ncct": ("x.nii.gz", image)}, data=data)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    def wait(self, job_id: str, role: str | None = "user", timeout_s: float = 120.0) -> dict:
        """Until a job has ended."""
        return wait_for(
            lambda: (
                (job := self.call("GET", f"/jobs/{job_id}", role).json())["state"] not in ("queued", "running") and job
            ),
            timeout_s,
        )

    def leftovers(self) -> list[str]:
        """Files in the work folder that belong to no kept result or session."""
        kept = (".lock", "torchinductor")  # the lock of the run; torch's own empty cache folder
        # os.walk passes over folders that the server removes meanwhile; rglob stumbles over them.
        files = [os.path.join(folder, name) for folder, _, names in os.walk(self.work) for name in names]
        return [path for path in files if not any(word in path for word in kept)]


def wait_for(condition: Callable[[], object], timeout_s: float = 20.0):
    """The first true value of a condition."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"nothing after {timeout_s} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(home: Path, work: Path, **more: str) -> dict[str, str]:
    """Of a server: its own home and work folder; one thread, as tests share the machine."""
    cleaned = {name: value for name, value in os.environ.items() if not name.startswith(("PERFUSYNTH_", "MONAI_"))}
    return cleaned | {
        "PERFUSYNTH_HOME": str(home),
        "PERFUSYNTH_WORK_DIR": str(work),
        "PERFUSYNTH_MIN_FREE_BYTES": "0",
        "PYTHONDONTWRITEBYTECODE": "",
        "OMP_NUM_THREADS": "1",
        **more,
    }


@contextmanager
def running(
    base: Path, command: list[str] | None = None, roles: tuple[str, ...] = (), ready: str = "ok", **settings: str
) -> Iterator[Server]:
    """A server in folders below ``base`` (which a second start finds again)."""
    home, studies, work = base / "home", base / "studies", base / "work"
    for folder in (home, studies, work):
        folder.mkdir(exist_ok=True)
    tokens = {role: make_token(home, role) for role in roles}
    port = free_port()
    command = command or [str(HERE / "stand_in_server.py"), "{port}", "{studies}"]
    filled = [part.replace("{port}", str(port)).replace("{studies}", str(studies)) for part in command]
    log = base / "server.log"
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [sys.executable, *filled], stdout=output, stderr=output, env=environment(home, work, **settings), cwd=base
        )
    server = Server(f"http://127.0.0.1:{port}", home, studies, work, process, log, tokens)
    try:
        wait_for(lambda: _health(server) == ready, START_S)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        finally:
            process.kill()


def make_token(home: Path, role: str, user: str = "") -> str:
    """A token made by the command line's own code."""
    from perfusynth.server.access.tokens import TokenStore

    return TokenStore(home / "tokens.json").add(user or f"{role}-person", role)


def _health(server: Server) -> str:
    if server.process.poll() is not None:
        pytest.fail(f"the server ended: {server.log.read_text()[-3000:]}")
    try:
        return requests.get(f"{server.url}/health", timeout=5).json()["status"]
    except (requests.ConnectionError, requests.Timeout):
        return ""


def write_phantom(path: Path) -> None:
    """A digital patient's NCCT on a grid of 1.2 x 1.2 x 5 mm."""
    import nibabel as nib
    import numpy as np

    from perfusynth.phantom.render import render_on_model_grid

    case = render_on_model_grid(1000)
    nib.save(nib.Nifti1Image(np.rint(case.volumes["ncct"]).astype(np.int16), case.affine), path)
