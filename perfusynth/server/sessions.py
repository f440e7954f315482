"""Images that a client uploads once and then refers to by a random id; they belong to their user and expire."""

import asyncio
import contextlib
import secrets
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfusynth.server.problems import Problem


@dataclass(eq=False)
class Session:
    """One uploaded image."""

    id: str
    user: str
    folder: Path
    image: Path
    ttl_s: float
    created: float = field(default_factory=time.time)
    used: float = field(default_factory=time.time)

    def describe(self) -> dict[str, Any]:
        """As MONAI Label describes it, without the server's paths."""
        return {
            "name": self.id,
            "path": "",
            "image": self.image.name,
            "meta": {},
            "create_ts": int(self.created),
            "last_access_ts": int(self.used),
            "expiry": int(self.ttl_s),
        }


class Sessions:
    """The sessions of one server run.

    Parameters
    ----------
    folder
        Where their images lie.
    ttl_s
        Longest life after the last use, s.
    max_per_user
        How many one user may have.
    """

    def __init__(self, folder: Path, ttl_s: float, max_per_user: int):
        self._folder = folder
        self._ttl_s = ttl_s
        self._max_per_user = max_per_user
        self._sessions: dict[str, Session] = {}

    def new_folder(self, user: str) -> tuple[str, Path]:
        """A fresh id and folder for an upload.

        Raises
        ------
        Problem
            429: the user has too many.
        """
        if sum(session.user == user for session in self._sessions.values()) >= self._max_per_user:
            raise Problem(
                429,
                "You have too many sessions.",
                expected=f"at most {self._max_per_user} a user",
                got=f"{self._max_per_user + 1}",
                hint="Delete one, or wait until one expires.",
                code="too_many_sessions",
            )
        session_id = secrets.token_hex(16)
        folder = self._folder / session_id
        folder.mkdir(mode=0o700)
        return session_id, folder

    def add(self, session_id: str, user: str, image: Path, ttl_s: float = 0) -> Session:
        """Register an uploaded image; ``ttl_s`` 0 takes the longest life."""
        ttl_s = min(ttl_s, self._ttl_s) if ttl_s > 0 else self._ttl_s
        session = self._sessions[session_id] = Session(session_id, user, image.parent, image, ttl_s)
        return session

    def get(self, session_id: str, user: str) -> Session:
        """A session of this user; counts as a use.

        Raises
        ------
        Problem
            404: there is none of this user.
        """
        session = self._sessions.get(session_id)
        if session is None or session.user != user:
            raise Problem(
                404,
                "There is no such session.",
                expected="the id of one of your sessions",
                got="another id, or one that has expired",
                hint="Upload the image again.",
                code="unknown_session",
            )
        session.used = time.time()
        return session

    async def remove(self, session: Session) -> None:
        """Remove a session and its image."""
        self._sessions.pop(session.id, None)
        await asyncio.to_thread(shutil.rmtree, session.folder, ignore_errors=True)

    async def expire(self) -> None:
        """Remove what is over, for ever."""
        while True:
            await asyncio.sleep(min(self._ttl_s / 4, 30))
            now = time.time()
            for session in [s for s in self._sessions.values() if now - s.used >= s.ttl_s]:
                with contextlib.suppress(OSError):
                    await self.remove(session)
