"""MONAI Label inside our application: its settings, its app object, and those of its routes that stay."""

import contextlib
import io
import logging
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute, Mount

from perfusynth.server.access.roles import Role
from perfusynth.server.access.routes import INHERITED

logger = logging.getLogger(__name__)


def load(studies: Path | None, app_dir: Path | None) -> Any:
    """Import MONAI Label (seconds, most of it torch) and load the app; `context.enter` comes first.

    Parameters
    ----------
    studies, app_dir
        Folders; None: what ``monailabel start_server`` has put into MONAI Label's settings.
    """
    from monailabel.config import settings

    settings.MONAI_LABEL_STUDIES = str(studies) if studies else settings.MONAI_LABEL_STUDIES
    settings.MONAI_LABEL_APP_DIR = str(app_dir) if app_dir else settings.MONAI_LABEL_APP_DIR
    settings.MONAI_LABEL_AUTH_ENABLE = False  # no valid token passes it; our guard does this work
    settings.MONAI_LABEL_SESSIONS = False  # our own have random ids, owners, and no paths
    settings.MONAI_LABEL_AUTO_UPDATE_SCORING = False  # a second process on the datastore's file loses updates
    settings.MONAI_LABEL_DATASTORE_AUTO_RELOAD = False  # a watcher on a large studies folder never ends its scan
    from monailabel.interfaces.utils.app import app_instance

    instance = app_instance()
    instance.server_mode(True)
    instance.on_init_complete()
    return instance


def all_routes() -> list[tuple[str, str, BaseRoute]]:
    """Method, path and route of everything that ``monailabel.app`` would serve."""
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its own CORS origins, which we do not use
        from monailabel.app import app as stock
    from fastapi.routing import iter_route_contexts

    found: list[tuple[str, str, BaseRoute]] = []
    for item in iter_route_contexts(stock.routes):
        route = item.original_route
        path = str(getattr(item, "path", None) or getattr(route, "path", ""))
        methods = ["MOUNT"] if isinstance(route, Mount) else sorted(getattr(route, "methods", None) or ["*"])
        found += [(method, path, route) for method in methods]
    return found


def kept_routes() -> list[BaseRoute]:
    """The routes that the table of access mounts as they are."""
    kept: list[BaseRoute] = []
    for method, path, route in all_routes():
        fate = INHERITED.get((method, path))
        if fate is None:
            logger.warning("MONAI Label's route %s %s is not in the table of access: shut", method, path)
        elif isinstance(fate, Role) and route not in kept:
            kept.append(route)
    return kept
