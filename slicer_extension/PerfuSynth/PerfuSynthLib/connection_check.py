"""The test button: can this server be used, and if not, what is wrong and what is there to do."""

from __future__ import annotations

from typing import Any, NamedTuple

from .client import Model, PerfuSynthClient, models_of
from .connection_problems import UNAVAILABLE
from .http_connection import Timeouts
from .problems import Problem
from .server_settings import ServerSettings

#: Oldest interface that this extension works with (``api`` in ``/info/``): 2 has model cards and checks edited regions.
MINIMUM_API = 2
#: What the extension asks of a server.
TASK = "ncct_perfusion"
#: A person waits: shorter than during work, s. [d]
CHECK_TIMEOUTS = Timeouts(connect_s=5.0, answer_s=10.0)


class Connection(NamedTuple):
    """A server that can be used.

    Attributes
    ----------
    version
        Of the server's software.
    models
        Its live models; one of them does `TASK`.
    warming
        Whether it still loads its model: a synthesis waits for that.
    """

    version: str
    models: tuple[Model, ...]
    warming: bool

    @property
    def text(self) -> str:
        """What the user is told."""
        model = next(model for model in self.models if model.task == TASK)
        still = ", still loading its model" if self.warming else ""
        return f"Connected: PerfuSynth {self.version}, model {model.name} {model.version}{still}."


def check_connection(settings: ServerSettings, timeouts: Timeouts = CHECK_TIMEOUTS) -> Connection:
    """Ask a server all that a synthesis needs.

    Raises
    ------
    Problem
        By code: ``bad_address``, ``bad_token``, ``bad_ca_file``, ``unknown_host``, ``unreachable``, ``timeout``,
        ``proxy``, ``not_http``, ``no_tls``, ``tls_failed``, ``certificate_expired``, ``certificate_name``,
        ``certificate_unknown``, ``unauthorized`` (401), ``local_only``, ``tls_required`` and ``forbidden`` (403),
        ``not_perfusynth`` (404 or another program), ``moved``, ``server_unavailable`` (503), ``server_too_old``,
        ``no_model``.
    """
    client = PerfuSynthClient(settings, timeouts)
    info = information(client)
    version = version_of(info, MINIMUM_API)
    models = tuple(models_of(info))
    health = _health(client)
    if all(model.task != TASK for model in models):
        raise Problem(
            "no_model",
            "The server has no model that makes perfusion maps out of a plain CT.",
            "Ask the server's administrator to install and promote one (`perfusynth models`).",
            f"tasks: {', '.join(model.task for model in models) or 'none'}",
        )
    return Connection(version, models, warming=health == "warming")


def information(client: PerfuSynthClient) -> dict[str, Any]:
    """The server's description of itself; code ``not_perfusynth`` where there is another program."""
    try:
        return client.info()
    except Problem as problem:
        if getattr(problem, "status", 0) in (404, 405):
            raise Problem(
                "not_perfusynth",
                "There is a web server at this address, but no PerfuSynth server.",
                "Check address, port and path.",
                problem.detail,
            ) from None
        raise


def _health(client: PerfuSynthClient) -> str:
    try:
        return client.health()
    except Problem as problem:
        if getattr(problem, "status", 0) == 503:
            raise Problem(
                UNAVAILABLE,
                "The server runs, but it cannot load its model.",
                "Tell the server's administrator; the server's log says why.",
                problem.detail,
            ) from None
        raise


def version_of(info: dict[str, Any], minimum_api: int) -> str:
    """The server's version; code ``server_too_old`` where its interface is older than ``minimum_api``."""
    own = info.get("perfusynth")
    text = str(own.get("version", "")) if isinstance(own, dict) else ""
    api = own.get("api", 1) if isinstance(own, dict) else minimum_api  # whose server it is, is told elsewhere
    if not isinstance(api, int) or api < minimum_api:
        raise Problem(
            "server_too_old",
            "The server is too old for this extension.",
            "Ask its administrator to install the newest PerfuSynth, or use an older version of the extension.",
            f"version {text or 'unknown'}, interface {api}, expected {minimum_api} or newer",
        )
    return text
