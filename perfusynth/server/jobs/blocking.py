"""A job from a thread that may block, for MONAI Label's internal calls."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from perfusynth.server.jobs.job import Job

if TYPE_CHECKING:
    from perfusynth.server.context import ServerContext

#: Whose jobs these are; no token can have an empty name.
_USER = ""


def run_and_wait(server: "ServerContext", task: str, image: Path) -> tuple[Path, bytes]:
    """Run one synthesis and wait for it; not to be called from the event loop's thread.

    Returns
    -------
    result, measurements
        The zip, which expires like any other result, and its measurements as JSON.

    Raises
    ------
    RuntimeError
        The job failed; the message is its error.
    """
    job = asyncio.run_coroutine_threadsafe(_run(server, task, image), server.loop).result()
    if job.state != "done":
        raise RuntimeError((job.error or {}).get("error", job.state))
    return job.result, job.measurements.read_bytes()


async def _run(server: "ServerContext", task: str, image: Path) -> Job:
    job_id, _ = server.queue.new_folder(_USER)
    name = server.tasks[task].inputs[0]
    job = await server.queue.submit(job_id, _USER, task, {name: image}, {})
    await job.finished.wait()
    return job
