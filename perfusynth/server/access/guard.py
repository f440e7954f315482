"""ASGI middleware in front of everything: which route is it, who calls, may they, are the ids well formed.

It runs before a byte of the body is read.
"""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from perfusynth.server.access.queries import check_query
from perfusynth.server.access.roles import LOCAL, NOBODY, Identity, Role
from perfusynth.server.access.routes import ROLES
from perfusynth.server.access.tokens import TokenStore
from perfusynth.server.problems import Problem

#: Names under which a server without tokens is called; others are a foreign page's (DNS rebinding).
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
#: What proxies add: the caller is somewhere else.
_PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")


class Guard:
    """Denies by default.

    Parameters
    ----------
    app
        What it protects.
    tokens
        The installation's tokens; without any, only callers on this machine are served. Once it has seen some, it asks
        for one to the end: removing the last, or losing the file, opens nothing.
    tls_elsewhere
        Whether a proxy in front ends TLS; otherwise tokens travel over TLS or loopback only. All callers of a proxy
        look like callers on this machine, so that tokens are asked for in any case.
    max_query_bytes
        Longest query string.
    """

    def __init__(self, app: ASGIApp, *, tokens: TokenStore, tls_elsewhere: bool, max_query_bytes: int):
        self._app = app
        self._tokens = tokens
        self._tls_elsewhere = tls_elsewhere
        self._closed = tls_elsewhere
        self._max_query_bytes = max_query_bytes
        self._routes = _compiled(ROLES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            template, role = self._route(scope)
            scope["perfusynth.route"] = template
            identity = self._identify(scope) if role > Role.PUBLIC else NOBODY
            if identity.role < role:
                raise _forbidden(role, identity)
            check_query(scope["query_string"], self._max_query_bytes, scope["method"], template)
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        scope["perfusynth.identity"] = identity
        await self._app(scope, receive, send)

    def _route(self, scope: Scope) -> tuple[str, Role]:
        path = scope["path"]
        root = scope.get("root_path", "")
        if root and path.startswith(root + "/"):
            path = path[len(root) :]
        found = False
        for method, pattern, template, role in self._routes:
            if pattern.match(path):
                found = True
                if method == scope["method"]:
                    return template, role
        if found:
            raise Problem(
                405,
                "This address does not take this method.",
                expected="another method",
                got=scope["method"][:16],
                hint="Check the client's version.",
                code="bad_method",
            )
        raise Problem(
            404,
            "There is nothing at this address.",
            expected="an address of this server",
            got="another",
            hint="Check the address and the client's version.",
            code="not_found",
        )

    def _identify(self, scope: Scope) -> Identity:
        headers = Headers(scope=scope)
        loopback = _is_loopback(scope)
        self._closed = self._tokens.configured or self._closed
        if not self._closed:
            _check_local(headers, loopback)
            return LOCAL
        if not (loopback or self._tls_elsewhere or scope.get("scheme") == "https"):
            raise Problem(
                403,
                "Tokens are only taken over TLS.",
                expected="https",
                got="http from another machine",
                hint="Start the server with a certificate, or with PERFUSYNTH_TLS_ELSEWHERE behind a proxy.",
                code="tls_required",
            )
        scheme, _, token = headers.get("authorization", "").partition(" ")
        identity = self._tokens.identify(token.strip()) if scheme.lower() == "bearer" else None
        if identity is None:
            raise Problem(
                401,
                "No valid access token.",
                expected="Authorization: Bearer <token>",
                got="a wrong or expired token" if token else "none",
                hint="Ask the server's administrator for a token (`perfusynth token add`).",
                code="unauthorized",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return identity


def _compiled(roles: Mapping[tuple[str, str], Role]) -> list[tuple[str, re.Pattern[str], str, Role]]:
    return [(method, compile_path(template)[0], template, role) for (method, template), role in roles.items()]


def _is_loopback(scope: Scope) -> bool:
    client = scope.get("client") or ("", 0)
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


def _check_local(headers: Headers, loopback: bool) -> None:
    """A server without tokens serves this machine's own callers, and no web page that they happen to look at."""
    proxied = any(name in headers for name in _PROXY_HEADERS)
    origins = [headers.get("host", ""), *headers.getlist("origin")]
    names = {_host_name(origin) for origin in origins}
    if not loopback or proxied or not names <= _LOCAL_NAMES:
        raise Problem(
            403,
            "This server has no access tokens and serves only programs on its own machine.",
            expected="a call to localhost from the same machine, through no proxy and from no web page",
            got="another",
            hint="Make a token with `perfusynth token add`, start the server with TLS, and send the token.",
            code="local_only",
        )


def _host_name(value: str) -> str:
    try:
        return (urlsplit(value if "://" in value else f"//{value}").hostname or "").lower()
    except ValueError:
        return ""


def _forbidden(role: Role, identity: Identity) -> Problem:
    return Problem(
        403,
        "You may not do this.",
        expected=f"the role {role.word}",
        got=f"the role {identity.role.word}",
        hint="Ask the server's administrator.",
        code="forbidden",
    )
