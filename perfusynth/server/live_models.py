"""A running server follows the registry: what is promoted or rolled back is served without a restart."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Literal

from perfusynth.errors import InputError
from perfusynth.home import home
from perfusynth.server.context import ServerContext
from perfusynth.server.tasks import TaskInfo, loaded, models_of

logger = logging.getLogger(__name__)

#: Models that could not be loaded are tried again after this, s: a GPU that is full for a while gets free. [d]
_RETRY_S = 60.0


class LiveModels:
    """Looks at ``registry.json`` and has the workers replaced when it names other models.

    Jobs that run keep the model that they began with; results name the model that made them. Where the new model cannot
    be loaded the server goes on with the one before, and the log says so.

    Parameters
    ----------
    context
        The running server; its ``tasks`` follow once every worker holds the new models.
    find_tasks
        Tells what is live.
    """

    def __init__(self, context: ServerContext, find_tasks: Callable[[], dict[str, TaskInfo]]):
        self._context = context
        self._find_tasks = find_tasks
        self._seen: tuple[int, int, int] | Literal["never"] | None = "never"  # it may change while the server starts
        self._failed_at = float("-inf")

    async def watch(self) -> None:
        """Follow the registry, for ever."""
        while True:
            await asyncio.sleep(self._context.settings.registry_scan_s)
            stamp = _stamp()
            waited = time.monotonic() - self._failed_at >= _RETRY_S
            if stamp != self._seen or (waited and self._failed_at > 0):
                self._seen = stamp
                self._failed_at = float("-inf") if await self._follow() else time.monotonic()

    async def _follow(self) -> bool:
        """Whether the server holds now what the registry names."""
        try:
            tasks = await asyncio.to_thread(self._find_tasks)
        except (InputError, OSError) as error:
            logger.error("the registry cannot be followed: %s", getattr(error, "error", type(error).__name__))
            return False
        if tasks == self._context.tasks:
            return True
        if not await self._context.queue.renew(loaded(tasks), models_of(tasks)):
            return False
        self._context.tasks = tasks
        logger.info("live models: %s", ", ".join(f"{task} {model}" for task, model in models_of(tasks).items()))
        return True


def _stamp() -> tuple[int, int, int] | None:
    try:
        status = (home() / "registry.json").stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
