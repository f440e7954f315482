"""What the routes of one running server share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Request

from perfusynth.server.access.roles import Identity
from perfusynth.server.jobs.queue import JobQueue
from perfusynth.server.log_lines import LogLines
from perfusynth.server.run_folder import RunFolder
from perfusynth.server.sessions import Sessions
from perfusynth.server.settings import Settings
from perfusynth.server.tasks import TaskInfo
from perfusynth.server.training.runs import TrainingRuns

if TYPE_CHECKING:
    import asyncio


@dataclass(eq=False)
class ServerContext:
    """The running server's parts.

    Parameters
    ----------
    settings, queue, sessions, training, run_folder, log_lines
        As their classes say.
    tasks
        What can be asked for, by task name; replaced as a whole when another model goes live.
    loop
        The event loop; all but files belongs to it.
    monai_label
        MONAI Label's application object: datastore, info, strategies.
    """

    settings: Settings
    queue: JobQueue
    sessions: Sessions
    training: TrainingRuns
    run_folder: RunFolder
    log_lines: LogLines
    tasks: dict[str, TaskInfo]
    loop: "asyncio.AbstractEventLoop"
    monai_label: Any = None


_running: list[ServerContext] = []


def enter(context: ServerContext) -> None:
    """Make ``context`` the running server's; before MONAI Label loads the app."""
    _running[:] = [context]


def leave() -> None:
    """The server has stopped."""
    _running.clear()


def running_server() -> ServerContext:
    """The context of the server that runs in this process.

    Raises
    ------
    RuntimeError
        There is none: MONAI Label was started without our application around it.
    """
    if not _running:
        raise RuntimeError(
            "This app runs only inside perfusynth's own server, which adds access control, limits and the job queue. "
            "Start it with `perfusynth serve --studies FOLDER`, or with `monailabel start_server --app apps/perfusynth "
            "--studies FOLDER --uvicorn_app perfusynth.server.app:app`."
        )
    return _running[0]


def context_of(request: Request) -> ServerContext:
    """The context, in a route."""
    context: ServerContext = request.app.state.context
    return context


def caller_of(request: Request) -> Identity:
    """Who calls, in a route; the guard has put it there."""
    identity: Identity = request.scope["perfusynth.identity"]
    return identity
