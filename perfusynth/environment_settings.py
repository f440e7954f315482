"""Settings out of environment variables: what cannot be used is told like any other bad input."""

from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from perfusynth.errors import InputError

S = TypeVar("S", bound=BaseSettings)


def settings_of_environment(kind: type[S]) -> S:
    """The settings of this process; ``kind`` names its variables by ``env_prefix``.

    Raises
    ------
    InputError
        Code ``bad_setting``.
    """
    try:
        return kind()
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"The setting {kind.model_config.get('env_prefix', '')}{str(first['loc'][0]).upper()} cannot be used.",
            expected=first["msg"].removeprefix("Value error, "),
            got=repr(first["input"])[:64],
            hint="Correct it or unset it.",
            code="bad_setting",
        ) from None
