"""Static access tokens in ``$PERFUSYNTH_HOME/tokens.json``: only their hashes, readable by the owner only.

A token is ``pst_<id>_<secret>`` with a secret of 256 random bits. It is kept as a salted SHA-256: slow hashes such as
scrypt protect secrets that people choose and others can guess; nobody guesses 256 random bits, and a slow hash would
cost each request 50 ms. The id finds the entry, so that no request compares more than one hash.
"""

import fcntl
import hashlib
import hmac
import json
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from perfusynth.errors import InputError
from perfusynth.home import home
from perfusynth.server.access.roles import TOKEN_ROLES, Identity
from perfusynth.server.private_file import others_can_read, write_private

_TOKEN = re.compile(r"pst_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_USER = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"


class TokenEntry(BaseModel):
    """One token, without its secret."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    user: str = Field(pattern=_USER)
    role: str = Field(pattern="^(user|annotator|admin)$")
    salt: str
    sha256: str
    created: datetime
    expires: datetime | None = None

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and datetime.now(UTC) >= self.expires


class _TokenFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = 1
    tokens: list[TokenEntry] = Field(default_factory=list)


class TokenStore:
    """The tokens of this installation; a running server sees changes at once.

    Parameters
    ----------
    path
        The file; default ``$PERFUSYNTH_HOME/tokens.json``.
    """

    def __init__(self, path: Path | None = None):
        self._path = path or home() / "tokens.json"
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._entries: dict[str, TokenEntry] = {}

    @property
    def configured(self) -> bool:
        """Whether any token exists, expired ones too: a server that had tokens never opens by itself."""
        return bool(self.entries())

    def entries(self) -> list[TokenEntry]:
        """All tokens, in order of their making.

        Raises
        ------
        InputError
            Codes ``bad_tokens`` and ``open_tokens``: the file cannot be read, or others can.
        """
        with self._lock:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._entries = {entry.id: entry for entry in _read(self._path)} if stamp else {}
                self._stamp = stamp
            return list(self._entries.values())

    def identify(self, token: str) -> Identity | None:
        """Whose token it is; None for a wrong or expired one."""
        match = _TOKEN.fullmatch(token)
        self.entries()
        entry = self._entries.get(match[1]) if match else None
        if match is None or entry is None or entry.expired:
            return None
        if not hmac.compare_digest(_hash(entry.salt, match[2]), entry.sha256):
            return None
        return Identity(entry.user, TOKEN_ROLES[entry.role])

    def add(self, user: str, role: str, days: int | None = None) -> str:
        """Make a token; returns it for the only time.

        Parameters
        ----------
        user
            Who will hold it; jobs and sessions belong to this name.
        role
            ``user``, ``annotator`` or ``admin``.
        days
            How long it is valid; None: until it is removed.

        Raises
        ------
        InputError
            Code ``bad_token_fields``.
        """
        token_id, secret, salt = secrets.token_hex(6), secrets.token_urlsafe(32), secrets.token_hex(16)
        now = datetime.now(UTC).replace(microsecond=0)
        try:
            entry = TokenEntry(
                id=token_id,
                user=user,
                role=role,
                salt=salt,
                sha256=_hash(salt, secret),
                created=now,
                expires=now + timedelta(days=days) if days is not None else None,
            )
        except ValidationError as error:
            raise InputError(
                "The token cannot be made.",
                expected="a name of up to 64 letters, digits and ._@-, and one of the roles user, annotator, admin",
                got=f"{user[:64]!r}, {role[:64]!r}",
                hint="Choose another name or role.",
                code="bad_token_fields",
            ) from error
        with self._editing() as entries:
            entries.append(entry)
        return f"pst_{token_id}_{secret}"

    def remove(self, token_id: str) -> None:
        """Remove a token; it is refused from the next request on.

        Raises
        ------
        InputError
            Code ``unknown_token``.
        """
        with self._editing() as entries:
            kept = [entry for entry in entries if entry.id != token_id]
            if len(kept) == len(entries):
                raise InputError(
                    "There is no such token.",
                    expected="the id of a token",
                    got=repr(token_id[:64]),
                    hint="`perfusynth token list` shows the ids.",
                    code="unknown_token",
                )
            entries[:] = kept

    @contextmanager
    def _editing(self) -> Iterator[list[TokenEntry]]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self._path.with_suffix(".lock"), "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = self.entries()
            yield entries
            content = _TokenFile(tokens=entries).model_dump(mode="json")
            write_private(self._path, json.dumps(content, indent=2).encode() + b"\n")


def _hash(salt: str, secret: str) -> str:
    return hashlib.sha256(f"{salt}{secret}".encode()).hexdigest()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> list[TokenEntry]:
    if others_can_read(path):
        raise InputError(
            f"{path.name} can be read by others.",
            expected="mode 0600",
            got=f"mode {path.stat().st_mode & 0o777:04o}",
            hint=f"chmod 600 {path.name}",
            code="open_tokens",
        )
    try:
        return _TokenFile.model_validate_json(path.read_bytes()).tokens
    except (OSError, ValidationError) as error:
        raise InputError(
            f"{path.name} cannot be read.",
            expected="the file that `perfusynth token` writes",
            got=type(error).__name__,
            hint="Restore it, or remove it and make the tokens again.",
            code="bad_tokens",
        ) from error
