"""Servers on ephemeral loopback ports, each in folders of its own; whatever happens, they are stopped."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.benchmarks.maps import SHAPE_VARIABLE, Shape
from tests.benchmarks.scan import ROOT

START_S, STOP_S = 300.0, 20.0
#: As `perfusynth serve` starts it.
_SERVE = "from pathlib import Path; from perfusynth.server.start import start; start(Path({studies!r}), port={port})"


class ModelNotLoadedError(Exception):
    """The server is up, and its model cannot be loaded."""


@dataclass(frozen=True)
class Started:
    """A server's process, which may still be loading."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    is_ready: Callable[[str], bool]

    def wait(self) -> "Started":
        """Until it answers and its model is warm.

        Raises
        ------
        RuntimeError
            It ended, or took too long; with the end of its log.
        """
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.is_ready(self.url):
                    return self
            except ModelNotLoadedError:
                break
            except (requests.ConnectionError, requests.Timeout):
                pass
            time.sleep(0.2)
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        told = "\n".join(line for line in lines if "GET /health" not in line)
        raise RuntimeError(f"a server did not come up: {told[-3000:]}")


@contextmanager
def real_server(base: Path, shape: Shape) -> Iterator[Started]:
    """Our server with the live bundle."""
    with _running(
        base, shape, lambda port, studies: ["-c", _SERVE.format(studies=studies, port=port)], _ours
    ) as server:
        yield server


@contextmanager
def no_op_server(base: Path, shape: Shape) -> Iterator[Started]:
    """Our server around a pipeline that does nothing."""
    with _running(
        base, shape, lambda port, studies: ["-m", "tests.benchmarks.no_op_server", str(port), studies], _ours
    ) as server:
        yield server


@contextmanager
def stock_server(base: Path, shape: Shape) -> Iterator[Started]:
    """The stock MONAI Label server with the app of ``stock_app``, copied: its start writes into the app's folder."""
    app = shutil.copytree(Path(__file__).parent / "stock_app", base / "app")
    start = ["-m", "monailabel.main", "start_server", "--app", str(app), "--host", "127.0.0.1"]
    with _running(
        base, shape, lambda port, studies: [*start, "--studies", studies, "--port", str(port)], _stock
    ) as server:
        yield server


@contextmanager
def _running(
    base: Path, shape: Shape, arguments: Callable[[int, str], list[str]], is_ready: Callable[[str], bool]
) -> Iterator[Started]:
    studies, home, work = base / "studies", base / "home", base / "work"
    for folder in (studies, home, work):
        folder.mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PERFUSYNTH_", "MONAI_"))}
    environment = kept | {
        "PERFUSYNTH_HOME": str(home),
        "PERFUSYNTH_WORK_DIR": str(work),
        "PYTHONPATH": str(ROOT),
        SHAPE_VARIABLE: ",".join(map(str, shape)),
    }
    port = _free_port()
    log = base / "server.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments(port, str(studies))], stdout=output, stderr=output, env=environment, cwd=base
        )
    try:
        yield Started(f"http://127.0.0.1:{port}", process, log, is_ready)
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ours(url: str) -> bool:
    status = requests.get(f"{url}/health", timeout=5).json()["status"]
    if status == "failed":
        raise ModelNotLoadedError
    return bool(status == "ok")


def _stock(url: str) -> bool:
    return requests.get(f"{url}/info/", timeout=5).status_code == 200


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
