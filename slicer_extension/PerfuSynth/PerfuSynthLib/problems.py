"""What can go wrong, in the words that a user is shown: what happened and what to do about it."""

from __future__ import annotations


class Problem(Exception):
    """Something that keeps the user from what they asked for.

    Parameters
    ----------
    code
        Stable name of the kind of problem, for programs: ``unauthorized``, ``unreachable``, ...; never shown.
    what
        What happened: one sentence.
    what_to_do
        What the user can do about it: a sentence or two.
    detail
        What a person who looks after the server or the program wants to know beside that; no patient data.
    """

    def __init__(self, code: str, what: str, what_to_do: str, detail: str | None = None):
        super().__init__(what, what_to_do)
        self.code = code
        self.what = what
        self.what_to_do = what_to_do
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.what} {self.what_to_do}".strip()
