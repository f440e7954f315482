"""Which server: address, token, certificate authority, consent; remembered per server, free of Qt."""

from __future__ import annotations

import ipaddress
import json
import os
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from .private_file import write_private
from .problems import Problem

#: Where `perfusynth serve` listens unless it is told otherwise.
DEFAULT_ADDRESS = "http://127.0.0.1:8000"
_KEYS = "PerfuSynth/servers"
_LAST = "PerfuSynth/lastServer"


class ServerSettings(NamedTuple):
    """How one server is reached.

    Attributes
    ----------
    address
        As `checked_address` returns it.
    token
        Access token; empty for a server on this machine that asks for none.
    ca_file
        PEM file of the certificate authority that signed the server's certificate; empty: those that are known.
    consent
        Whether the user has agreed that images are sent to this server.
    """

    address: str = DEFAULT_ADDRESS
    token: str = ""
    ca_file: str = ""
    consent: bool = False


class Storage(Protocol):
    """What is asked of the place that remembers settings; QSettings has it."""

    def value(self, key: str, default: str = "") -> str:
        """The text under a key."""

    def setValue(self, key: str, value: str) -> None:
        """Keep a text under a key."""


class ServerBook:
    """Remembers servers.

    Parameters
    ----------
    storage
        Keeps what is no secret: Slicer's own settings.
    token_file
        Keeps the tokens, apart from the settings, which users pass on: a file that only this user may read. The
        desktop program offers no keychain.
    """

    def __init__(self, storage: Storage, token_file: Path):
        self._storage = storage
        self._token_file = Path(token_file)

    def last(self) -> ServerSettings:
        """The server that was used last, or the one that a local installation has."""
        address = str(self._storage.value(_LAST, "") or DEFAULT_ADDRESS)
        return self.of(address)

    def of(self, address: str) -> ServerSettings:
        """What is remembered of a server; nothing but its address when it is new."""
        kept = self._servers().get(address, {})
        ca_file, consent = kept.get("ca_file", ""), kept.get("consent", False)
        return ServerSettings(address, self._tokens().get(address, ""), str(ca_file), consent is True)

    def addresses(self) -> list[str]:
        """All servers that are remembered."""
        return sorted(self._servers())

    def remember(self, settings: ServerSettings) -> None:
        """Keep a server's settings; it is the last one from now on.

        Raises
        ------
        Problem
            Code ``disk``: the token cannot be written.
        """
        servers = self._servers()
        servers[settings.address] = {"ca_file": settings.ca_file, "consent": settings.consent}
        self._storage.setValue(_KEYS, json.dumps(servers))
        self._storage.setValue(_LAST, settings.address)
        tokens = self._tokens()
        if tokens.get(settings.address, "") != settings.token:
            tokens[settings.address] = settings.token
            self._write_tokens({address: token for address, token in tokens.items() if token})

    def forget(self, address: str) -> None:
        """Keep nothing of a server: token and consent are gone."""
        servers = self._servers()
        servers.pop(address, None)
        self._storage.setValue(_KEYS, json.dumps(servers))
        tokens = self._tokens()
        if tokens.pop(address, None) is not None:
            self._write_tokens(tokens)

    def _servers(self) -> dict[str, dict[str, object]]:
        found = _json_object(str(self._storage.value(_KEYS, "") or ""))
        return {str(address): kept for address, kept in found.items() if isinstance(kept, dict)}

    def _tokens(self) -> dict[str, str]:
        try:
            found = _json_object(self._token_file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(address): token for address, token in found.items() if isinstance(token, str)}

    def _write_tokens(self, tokens: dict[str, str]) -> None:
        try:
            write_private(self._token_file, json.dumps(tokens).encode())
        except OSError as error:
            raise Problem(
                "disk",
                "The access token cannot be remembered.",
                "It is used until Slicer is closed; check the rights of the folder with Slicer's settings.",
                os.strerror(error.errno) if error.errno else type(error).__name__,
            ) from None


def checked_address(text: str) -> str:
    """An address as typed, made whole: scheme added, no slash at the end.

    Raises
    ------
    Problem
        Code ``bad_address``: no address, with a name, password, query or fragment, or not encrypted though the server
        is another machine.
    """
    typed = text.strip()
    if not typed:
        raise _bad_address("No server address is given.", "Enter the address that the server's administrator named.")
    if "://" not in typed:
        typed = f"{'http' if is_loopback(f'http://{typed}') else 'https'}://{typed}"
    try:
        parts = urlsplit(typed)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if (
        parts.scheme not in ("http", "https")
        or not host
        or parts.netloc.endswith(":")
        or any(c.isspace() or c == "\\" for c in typed)
    ):
        raise _bad_address("This is no address of a server.", f"Enter one like {DEFAULT_ADDRESS}.")
    if parts.username is not None or parts.query or parts.fragment:
        raise _bad_address(
            "The address holds more than server, port and path.",
            "Leave out names, passwords and what follows ? or #; the token has a field of its own.",
        )
    if parts.scheme == "http" and not is_loopback(typed):
        raise _bad_address(
            "Images and tokens would travel unencrypted to another machine.",
            "Use the server's https address; http is for a server on this machine only.",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def is_loopback(address: str) -> bool:
    """Whether an address is one of this machine itself."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return False
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _json_object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _bad_address(what: str, what_to_do: str) -> Problem:
    return Problem("bad_address", what, what_to_do)
