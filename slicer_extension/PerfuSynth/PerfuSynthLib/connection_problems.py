"""What requests' errors and a server's refusals mean, in words for the user."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator

import requests

from .problems import Problem

#: OpenSSL's verdicts on a certificate (X509_V_ERR_*, openssl/x509_vfy.h).
_NOT_YET_VALID, _EXPIRED, _HOST_MISMATCH, _IP_MISMATCH = 9, 10, 62, 64
#: What OpenSSL says when the other side does not speak TLS.
_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
#: Most characters of a server's sentence that are shown: a person reads it.
_LONGEST_SENTENCE = 400
#: Code of a gateway's word that the server behind it is not there, or not yet.
UNAVAILABLE = "server_unavailable"
_TELL_ADMINISTRATOR = "Tell the server's administrator."


class ServerProblem(Problem):
    """A refusal by the server.

    Parameters
    ----------
    status
        HTTP status.
    retry_after_s
        After what time the server asks to try again, s; None where it does not.
    code, what, what_to_do, detail
        As `Problem`.
    """

    def __init__(
        self, status: int, retry_after_s: float | None, code: str, what: str, what_to_do: str, detail: str | None = None
    ):
        super().__init__(code, what, what_to_do, detail)
        self.status = status
        self.retry_after_s = retry_after_s


class ConnectionLost(Problem):
    """Nothing came back, or not all of it; the server may or may not have done what it was asked."""


def problem_of_error(error: Exception) -> Problem:
    """What kept a request from being answered.

    Returns
    -------
    A `ConnectionLost` where trying again may help, otherwise a `Problem` (certificates, addresses, files).
    """
    detail = _plain(f"{type(error).__name__}: {error}")
    if isinstance(error, requests.exceptions.ProxyError):
        return ConnectionLost(
            "proxy",
            "The network's proxy does not let the connection through.",
            "Ask the network's administrator, or name the server in the environment variable NO_PROXY.",
            detail,
        )
    if isinstance(error, requests.exceptions.SSLError):
        return _certificate_problem(error, detail)
    if isinstance(error, (requests.exceptions.ConnectTimeout, requests.exceptions.ReadTimeout)):
        return ConnectionLost(
            "timeout",
            "The server does not answer in time.",
            "Check address, port and network (VPN?); a firewall may drop the connection. Then try again.",
            detail,
        )
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, UnicodeError)):
        return Problem("bad_address", "This is no address of a server.", "Check the address.", detail)
    causes = list(_causes(error))
    if any(isinstance(cause, socket.gaierror) or "NameResolution" in type(cause).__name__ for cause in causes):
        return ConnectionLost(
            "unknown_host",
            "There is no machine of this name.",
            "Check the spelling of the address, and that this machine is on the right network (VPN?).",
            detail,
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return ConnectionLost(
            "unreachable",
            "No server listens at this address.",
            "Check address and port, and that the server is running (`perfusynth serve`).",
            detail,
        )
    if any("BadStatusLine" in type(cause).__name__ for cause in causes):
        return ConnectionLost(
            "not_http",
            "What listens at this address does not speak HTTP.",
            "Check the port; a server that has a certificate is reached by https.",
            detail,
        )
    return ConnectionLost(
        "connection_lost",
        "The connection to the server broke off.",
        "Check the network and that the server is running, then try again.",
        detail,
    )


def problem_of_answer(answer: requests.Response) -> ServerProblem:
    """Why the server refused, in its own words where it has some, for an answer that is no success."""
    status, retry = answer.status_code, _retry_after(answer)
    fields = _json_fields(answer)
    if {"error", "hint"} <= set(fields):
        compared = [f"{name} {_plain(fields[name])}" for name in ("expected", "got") if fields.get(name)]
        return ServerProblem(
            status,
            retry,
            str(fields.get("code") or f"http_{status}"),
            _plain(fields["error"]),
            _plain(fields["hint"]),
            "; ".join(compared) or None,
        )
    code, what, what_to_do = _WORDS.get(status) or _words_for(status)
    return ServerProblem(status, retry, code, what, what_to_do, _plain(f"HTTP {status} {answer.reason or ''}"))


def problem_of_fields(fields: object) -> Problem:
    """The problem that a failed job names (code, error, expected, got, hint)."""
    if not isinstance(fields, dict) or not fields.get("error"):
        return Problem("failed", "The synthesis failed.", _TELL_ADMINISTRATOR)
    compared = [f"{name} {_plain(fields[name])}" for name in ("expected", "got") if fields.get(name)]
    return Problem(
        str(fields.get("code") or "failed"),
        _plain(fields["error"]),
        _plain(fields.get("hint") or _TELL_ADMINISTRATOR),
        "; ".join(compared) or None,
    )


_WORDS = {
    401: ("unauthorized", "The server asks for a valid access token.", "Enter the token that you were given."),
    403: ("forbidden", "The server does not let you do this.", "Ask the server's administrator for the right."),
    404: (
        "not_perfusynth",
        "There is a web server at this address, but no PerfuSynth server.",
        "Check address, port and path.",
    ),
    407: ("proxy", "The network's proxy asks for a password.", "Ask the network's administrator."),
    408: ("stalled", "The upload took too long.", "Check the network and try again."),
    413: ("too_large", "The image is larger than the server takes.", "Crop the scan to the head."),
    429: ("too_many_jobs", "The server has too many requests of yours.", "Wait a moment and try again."),
    503: (UNAVAILABLE, "The server is not ready for work.", f"Try again later. {_TELL_ADMINISTRATOR}"),
}


def _words_for(status: int) -> tuple[str, str, str]:
    if 300 <= status < 400:
        return (
            "moved",
            "The server is at another address.",
            "Ask for the right address; many servers are reached by https only.",
        )
    if status in (502, 504):
        return (
            UNAVAILABLE,
            "The web server at this address does not reach the PerfuSynth server behind it.",
            f"Try again later. {_TELL_ADMINISTRATOR}",
        )
    if status >= 500:
        return "server_fault", "The server made a mistake.", _TELL_ADMINISTRATOR
    return "refused", "The server refused the request.", "Check that server and extension have versions that fit."


def _certificate_problem(error: Exception, detail: str) -> Problem:
    causes = list(_causes(error))
    verdict = next((cause.verify_code for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if verdict is None:
        reasons = {getattr(cause, "reason", None) for cause in causes if isinstance(cause, ssl.SSLError)}
        if reasons & set(_NO_TLS):
            return Problem(
                "no_tls",
                "The server at this address does not encrypt (no TLS).",
                "Check the port; a server on this machine is reached by http.",
                detail,
            )
        return ConnectionLost(
            "tls_failed",
            "No encrypted connection came about.",
            f"Check address and port. {_TELL_ADMINISTRATOR}",
            detail,
        )
    if verdict in (_EXPIRED, _NOT_YET_VALID):
        what = "The server's certificate has expired." if verdict == _EXPIRED else "The certificate is not valid yet."
        todo = f"Check this machine's clock. {_TELL_ADMINISTRATOR}"
        return Problem("certificate_expired", what, todo, detail)
    if verdict in (_HOST_MISMATCH, _IP_MISMATCH):
        return Problem(
            "certificate_name",
            "The server's certificate belongs to another name.",
            "Use the name that stands in the certificate as address; ask the administrator for it.",
            detail,
        )
    return Problem(
        "certificate_unknown",
        "The server's certificate is not signed by an authority that this machine trusts.",
        "Choose the file of your institution's certificate authority (PEM) beside the address. "
        "If you have none, ask the administrator; somebody may be listening in between.",
        detail,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it came from: requests and urllib3 keep some as arguments only."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop()
        if isinstance(cause, BaseException) and all(cause is not other for other in seen):
            seen.append(cause)
            waiting += [*cause.args, cause.__cause__, cause.__context__, getattr(cause, "reason", None)]
            yield cause


def _json_fields(answer: requests.Response) -> dict[str, object]:
    try:
        found = answer.json()
    except (ValueError, requests.exceptions.RequestException):
        return {}
    return found if isinstance(found, dict) else {}


def _retry_after(answer: requests.Response) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"[0-9]{1,6}", text) else None


def _plain(text: object) -> str:
    """Text of another machine as it may be shown: one line, of a length that a person reads, no control characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    return line if len(line) <= _LONGEST_SENTENCE else line[: _LONGEST_SENTENCE - 3] + "..."
