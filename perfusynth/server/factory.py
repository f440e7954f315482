"""Builds the ASGI application: our routes, those of MONAI Label that stay, and the guards in front."""

import asyncio
import contextlib
import multiprocessing
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware import Middleware

from perfusynth import __version__
from perfusynth.home import home
from perfusynth.server import monai_label
from perfusynth.server.access.guard import Guard
from perfusynth.server.access.tokens import TokenStore
from perfusynth.server.context import ServerContext, enter, leave
from perfusynth.server.http import datastore, infer, jobs, models, registration, sessions, status, training
from perfusynth.server.http.handlers import add_handlers
from perfusynth.server.http.incidents import Incidents
from perfusynth.server.http.limits import BodyLimit
from perfusynth.server.jobs.ids import JobIds
from perfusynth.server.jobs.protocol import WorkerSpec
from perfusynth.server.jobs.queue import JobQueue
from perfusynth.server.live_models import LiveModels
from perfusynth.server.log_lines import LogLines
from perfusynth.server.run_folder import RunFolder
from perfusynth.server.sessions import Sessions
from perfusynth.server.settings import Settings
from perfusynth.server.tasks import TaskInfo, installed, loaded, models_of
from perfusynth.server.training.runs import TrainingRuns


def create_app(
    settings: Settings | None = None,
    *,
    studies: Path | None = None,
    app_dir: Path | None = None,
    worker: WorkerSpec | None = None,
    tasks: Callable[[], dict[str, TaskInfo]] = installed,
) -> FastAPI:
    """The server's application.

    Parameters
    ----------
    settings
        Limits; default: from the environment.
    studies, app_dir
        Folders for MONAI Label; None: what ``monailabel start_server`` has set.
    worker
        What the worker processes load; default: the pipelines of all tasks.
    tasks
        Tells what is installed; called at the server's start.
    """
    settings = settings or Settings.of_environment()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        _one_process_only()
        async with _serving(app, settings, worker or WorkerSpec(), tasks) as context:
            context.monai_label = await asyncio.to_thread(monai_label.load, studies, app_dir)
            app.router.routes.extend(await asyncio.to_thread(monai_label.kept_routes))
            yield

    app = FastAPI(
        title="perfusynth",
        description="SYNTHETIC - research use only",
        version=__version__,
        docs_url=None,  # the pages load scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,
        # exporters set up by the environment would receive whole addresses
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        lifespan=lifespan,
        middleware=[
            Middleware(Incidents),
            Middleware(
                Guard,
                tokens=TokenStore(),
                tls_elsewhere=settings.tls_elsewhere,
                max_query_bytes=settings.max_query_bytes,
            ),
            Middleware(
                BodyLimit,
                max_upload_bytes=settings.max_upload_bytes,
                max_body_bytes=settings.max_body_bytes,
                idle_s=settings.upload_idle_s,
            ),
        ],
    )
    add_handlers(app)
    for part in (status, models, jobs, infer, sessions, datastore, registration, training):
        app.include_router(part.router)
    return app


@contextlib.asynccontextmanager
async def _serving(
    app: FastAPI, settings: Settings, worker: WorkerSpec, find_tasks: Callable[[], dict[str, TaskInfo]]
) -> AsyncIterator[ServerContext]:
    """Everything that lives as long as the server: folder, queue, workers, sessions, log."""
    run_folder = RunFolder(settings.work_dir)
    old_temp = tempfile.tempdir
    tempfile.tempdir = str(run_folder.temp)
    log_lines = LogLines(settings.keep_log_lines)
    log_lines.install()
    try:
        tasks = find_tasks()
        ids = JobIds(home() / "job-ids.key")
        spec = replace(worker, tasks=worker.tasks or loaded(tasks), models=models_of(tasks))
        queue = JobQueue(settings, spec, ids, run_folder.jobs, run_folder.temp)
        kept = Sessions(run_folder.sessions, settings.session_ttl_s, settings.max_sessions_per_user)
        runs = TrainingRuns(settings)
        await runs.recover()
        loop = asyncio.get_running_loop()
        context = ServerContext(settings, queue, kept, runs, run_folder, log_lines, tasks, loop)
        app.state.context = context
        enter(context)
        beside = [asyncio.create_task(work) for work in (kept.expire(), LiveModels(context, find_tasks).watch())]
        queue.start()
        try:
            yield context
        finally:
            for work in beside:
                work.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await runs.close()
            await queue.stop()
            leave()
    finally:
        log_lines.uninstall()
        tempfile.tempdir = old_temp
        run_folder.remove()


def _one_process_only() -> None:
    if multiprocessing.parent_process() is not None:
        raise RuntimeError(
            "perfusynth's server is one process: jobs and results live in it, and it has a worker process per device. "
            "Start it without --workers and --reload."
        )
