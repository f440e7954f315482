"""How an evaluation runs as a program of its own."""

from collections.abc import Callable

import typer

from perfusynth.errors import InputError


def run(command: Callable[..., None]) -> None:
    """Run a command, and say in one line what is wrong with an input."""
    try:
        typer.run(command)
    except InputError as error:
        typer.echo(f"perfusynth: [{error.code}] {error}".replace("\n", " "), err=True)
        raise SystemExit(2) from None
