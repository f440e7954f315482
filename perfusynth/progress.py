"""How long work reports where it stands; the callback may raise `Cancelled` to stop it."""

from typing import Protocol


class OnProgress(Protocol):
    """Called with the stage's name and the fraction (0 to 1) of the whole work that is done."""

    def __call__(self, stage: str, fraction: float) -> None: ...


def ignore_progress(stage: str, fraction: float) -> None:
    """The default listener: nobody is watching."""
