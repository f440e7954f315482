"""Roles, each of which may do all that the ones below it may."""

from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """Rank of a caller, or the rank that a route asks for."""

    PUBLIC = 0
    USER = 1
    ANNOTATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The name that people write."""
        return self.name.lower()


#: Roles that a token may have.
TOKEN_ROLES = {role.word: role for role in (Role.USER, Role.ANNOTATOR, Role.ADMIN)}


@dataclass(frozen=True)
class Identity:
    """Who calls: the name under which jobs and sessions are kept, and the role."""

    user: str
    role: Role


#: A caller on this very machine, while no token is configured.
LOCAL = Identity("local", Role.ANNOTATOR)
#: A caller without any right, for public routes.
NOBODY = Identity("", Role.PUBLIC)
