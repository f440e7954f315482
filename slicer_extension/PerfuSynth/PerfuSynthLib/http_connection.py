"""Requests to one server: TLS verified, timeouts on everything, repeated only where that does no harm."""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import requests

from .connection_problems import ConnectionLost, ServerProblem, problem_of_answer, problem_of_error
from .problems import Problem
from .server_settings import ServerSettings, checked_address, is_loopback

#: A GET is tried so often, with pauses of so many seconds in between. [d]
GET_PAUSES_S = (0.3, 1.0)
#: A gateway's own answers: the server behind it was not reached, so that a GET may be repeated.
_GATEWAY_STATUSES = (502, 504)
_BLOCK = 1 << 16

#: Told the bytes that have come so far and all that are expected (0: unknown); may raise to stop.
OnBytes = Callable[[int, int], None]


class Timeouts(NamedTuple):
    """How long is waited, in seconds. [d]

    Attributes
    ----------
    connect_s
        For the connection, and for each block that is sent.
    answer_s
        For the first byte of an answer: `/info/` answers within 0.1 s while a GPU works.
    submit_s
        For the answer after an upload, which the server copies first.
    stall_s
        Between two blocks of a download.
    """

    connect_s: float = 10.0
    answer_s: float = 30.0
    submit_s: float = 120.0
    stall_s: float = 60.0


class HttpConnection:
    """Sends requests; may be used from several threads.

    Parameters
    ----------
    settings
        The server; its address is checked again.
    timeouts
        See there.

    Raises
    ------
    Problem
        Codes ``bad_address``, ``bad_token``, ``bad_ca_file``.
    """

    def __init__(self, settings: ServerSettings, timeouts: Timeouts):
        self.timeouts = timeouts
        self._address = checked_address(settings.address)
        self._settings = settings
        self._of_thread = threading.local()
        if not (settings.token.isascii() and settings.token.isprintable()) or " " in settings.token:
            raise Problem("bad_token", "The access token holds characters that no token has.", "Paste it anew.")
        _check_ca_file(settings.ca_file)

    def get(self, path: str, params: dict[str, str] | None = None) -> requests.Response:
        """An answer with its body, tried again when the connection fails.

        Raises
        ------
        Problem
            `ServerProblem` where the server refused, `ConnectionLost` where nothing came.
        """
        return self._repeated(lambda: self.send("GET", path, params=params))

    def download(
        self,
        path: str,
        target: Path,
        *,
        max_bytes: int,
        params: dict[str, str] | None = None,
        on_bytes: OnBytes | None = None,
    ) -> None:
        """Stream an answer's body to a file that is there already or is made; tried again like `get`.

        Raises
        ------
        Problem
            As `get`; ``answer_too_large``; ``disk``.
        """
        self._repeated(lambda: self._stream(path, target, max_bytes, params, on_bytes))

    def send(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        data: Any = None,
        headers: dict[str, str] | None = None,
        answer_s: float | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """One request, tried once.

        Raises
        ------
        Problem
            As `get`.
        """
        timeout = (self.timeouts.connect_s, answer_s or self.timeouts.answer_s)
        try:
            answer = self._session().request(
                method,
                self._address + path,
                params=params,
                data=data,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,  # a token must not follow to another machine
                stream=stream,
            )
        except (requests.exceptions.RequestException, OSError, UnicodeError) as error:
            raise problem_of_error(error) from None
        if not 200 <= answer.status_code < 300:
            try:
                raise problem_of_answer(answer)
            finally:
                answer.close()
        return answer

    def _stream(
        self, path: str, target: Path, max_bytes: int, params: dict[str, str] | None, on_bytes: OnBytes | None
    ) -> None:
        # No compression on the way: what is counted is what was announced.
        with self.send(
            "GET",
            path,
            params=params,
            headers={"Accept-Encoding": "identity"},
            answer_s=self.timeouts.stall_s,
            stream=True,
        ) as answer:
            length = answer.headers.get("Content-Length", "")
            expected, come = int(length) if length.isdigit() else 0, 0
            if expected > max_bytes:
                raise _too_large(max_bytes)
            with _opened(target) as file:
                for block in _blocks(answer):
                    come += len(block)
                    if come > max_bytes:
                        raise _too_large(max_bytes)
                    _write(file, block)
                    if on_bytes is not None:
                        on_bytes(come, expected)
            if expected and come != expected:
                raise ConnectionLost(
                    "connection_lost",
                    "The connection to the server broke off.",
                    "Check the network and try again.",
                    f"{come} of {expected} bytes",
                )

    def _repeated(self, ask: Callable[[], Any]) -> Any:
        for pause in GET_PAUSES_S:
            try:
                return ask()
            except (ConnectionLost, ServerProblem) as problem:
                if isinstance(problem, ServerProblem) and problem.status not in _GATEWAY_STATUSES:
                    raise
                time.sleep(pause)
        return ask()

    def _session(self) -> requests.Session:
        """This thread's session: requests does not promise that one can be shared."""
        session = getattr(self._of_thread, "session", None)
        if session is None:
            session = self._of_thread.session = requests.Session()
            # What the environment may set is taken by name: a .netrc would replace the token.
            session.trust_env = False
            if not is_loopback(self._address):
                session.proxies = dict(requests.utils.get_environ_proxies(self._address))
            session.verify = self._settings.ca_file or os.environ.get("REQUESTS_CA_BUNDLE") or True
            session.headers["User-Agent"] = "PerfuSynth-Slicer"
            if self._settings.token:
                session.headers["Authorization"] = f"Bearer {self._settings.token}"
        return session


def _check_ca_file(path: str) -> None:
    """Told before anything is sent: requests would only say that the connection failed."""
    try:
        if path:
            ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise Problem(
            "bad_ca_file",
            "The file with the certificate authority cannot be used.",
            "Choose a PEM file that is there, or leave the field empty.",
            f"{type(error).__name__}: {error}",
        ) from None


def _blocks(answer: requests.Response) -> Any:
    try:
        yield from answer.iter_content(_BLOCK)
    except (requests.exceptions.RequestException, OSError) as error:
        raise problem_of_error(error) from None


def _opened(path: Path) -> Any:
    try:
        return open(path, "wb")
    except OSError as error:
        raise _disk(error) from None


def _write(file: Any, block: bytes) -> None:
    try:
        file.write(block)
    except OSError as error:
        raise _disk(error) from None


def _disk(error: OSError) -> Problem:
    return Problem(
        "disk",
        "What the server sends cannot be written to disk.",
        "Make room on the disk and try again.",
        os.strerror(error.errno) if error.errno else type(error).__name__,
    )


def _too_large(limit: int) -> Problem:
    return Problem(
        "answer_too_large",
        "The server sends more than a synthesis can be.",
        "Tell the server's administrator.",
        f"more than {limit} bytes",
    )
