"""The worker process: loads the pipelines once, then runs one job after another (see `protocol`).

Started as ``python -m perfusynth.server.jobs.worker``; it reads no other source of commands than its standard input.
"""

import json
import os
import queue
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

from perfusynth.errors import Cancelled, InputError
from perfusynth.server.jobs.protocol import WorkerSpec, decode_spec, encode, resolve
from perfusynth.server.places import places_of

#: Progress is told at most this often, in seconds: pollers ask every few hundred milliseconds.
_PROGRESS_EVERY_S = 0.05


class Worker:
    """Runs jobs in the main thread while a second thread listens for cancellations.

    Parameters
    ----------
    spec
        What to load.
    commands, events
        Streams of lines from and to the server.
    """

    def __init__(self, spec: WorkerSpec, commands: BinaryIO, events: BinaryIO):
        self._spec = spec
        self._commands = commands
        self._events = events
        self._send_lock = threading.Lock()
        self._jobs: queue.Queue[dict[str, Any]] = queue.Queue()
        self._cancelled: set[str] = set()

    def serve(self) -> None:
        """Load, say ready, and run until the server closes the stream."""
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            pipelines = self._load()
            make_options = resolve(self._spec.options)
            package = resolve(self._spec.package)
        except Exception as error:
            self._send({"event": "load_failed", **_explain(error)})
            return
        self._send({"event": "ready"})
        while True:
            job = self._jobs.get()
            self._send({"id": job["run"], **self._run(job, pipelines, make_options, package)})

    def _load(self) -> dict[str, Any]:
        pipelines = {}
        for task in self._spec.tasks:
            factory = resolve(self._spec.factories.get(task, self._spec.factory))
            pipelines[task] = factory(self._spec.models.get(task, task), device=self._spec.device)
        for pipeline in pipelines.values():
            pipeline.warm_up()
        return pipelines

    def _run(self, job: dict[str, Any], pipelines: dict[str, Any], make_options: Any, package: Any) -> dict[str, Any]:
        job_id, task = job["run"], job["task"]
        told_at, told_stage = 0.0, ""

        def on_progress(stage: str, fraction: float) -> None:
            nonlocal told_at, told_stage
            if job_id in self._cancelled:
                raise Cancelled("The job was cancelled.")
            now = time.monotonic()
            if stage != told_stage or now - told_at >= _PROGRESS_EVERY_S:
                told_at, told_stage = now, stage
                self._send({"event": "progress", "id": job_id, "stage": str(stage), "fraction": float(fraction)})

        out = Path(job["out"])
        try:
            on_progress("reading", 0.0)
            out.mkdir(mode=0o700)
            if task in self._spec.regions:
                task, package = self._spec.regions[task], resolve(self._spec.region_package)
            pipelines[task].run(
                {name: Path(path) for name, path in job["inputs"].items()},
                out,
                options=make_options(**job["options"]),
                on_progress=on_progress,
            )
            on_progress("packing", 0.99)
            package(out, Path(job["result"]))
            os.replace(out / self._spec.documents.get(task, "measurements.json"), job["measurements"])
            return {"event": "done"}
        except Cancelled:
            return {"event": "cancelled"}
        except MemoryError as error:
            return {"event": "failed", **_explain(_too_large(error))}
        except Exception as error:
            return {"event": "failed", **_explain(error)}
        finally:
            shutil.rmtree(out, ignore_errors=True)

    def _listen(self) -> None:
        for line in self._commands:
            command = json.loads(line)
            if "cancel" in command:
                self._cancelled.add(command["cancel"])
            else:
                self._jobs.put(command)
        # The server is gone: nobody waits for what still runs here, or in programs that were started.
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(0)

    def _send(self, message: dict[str, Any]) -> None:
        with self._send_lock:
            self._events.write(encode(message))
            self._events.flush()


def _too_large(error: MemoryError) -> InputError:
    return InputError(
        "The image does not fit into the server's memory.",
        expected="a head CT of at most a few hundred million voxels",
        got=type(error).__name__,
        hint="Check the image's dimensions; crop or resample it.",
        code="too_large",
    )


def _explain(error: Exception) -> dict[str, Any]:
    """Only `InputError` speaks to users; of anything else, where it happened, without its message.

    Messages of foreign exceptions quote file names and contents.
    """
    if isinstance(error, InputError):
        return {"error": error.as_dict(), "trace": None}
    return {"error": None, "trace": f"{type(error).__name__} at {' < '.join(places_of(error))}"}


def main() -> None:
    """Entry point: the streams are kept for the protocol; what libraries print goes to standard error."""
    commands = sys.stdin.buffer
    events = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    spec = decode_spec(commands.readline())
    sys.path.extend(folder for folder in spec.search_path if folder not in sys.path)
    Worker(spec, commands, events).serve()


if __name__ == "__main__":
    main()
