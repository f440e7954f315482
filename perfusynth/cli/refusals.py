"""Errors of a command's options, each with where to read on."""

from perfusynth.errors import InputError


def bad_option(command: str, error: str, expected: str, got: str, code: str = "bad_option") -> InputError:
    """An option that cannot be used."""
    return InputError(error, expected=expected, got=got, hint=f"See perfusynth {command} --help.", code=code)


def bad_settings(command: str, fault: ValueError) -> InputError:
    """What a settings class says of its values (``expected X, got Y``)."""
    expected, _, got = str(fault).removeprefix("expected ").partition(", got ")
    return bad_option(command, "These options cannot be used.", expected, got or "another")
