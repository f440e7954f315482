"""Settings out of environment variables ``PERFUSYNTH_<NAME>``: what cannot be used is told like any other bad input."""

from typing import Self

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from perfusynth.errors import InputError

_PREFIX = "PERFUSYNTH_"


class EnvironmentSettings(BaseSettings):
    """Base of what an installation may set; immutable while the process runs."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="ignore", frozen=True)

    @classmethod
    def of_environment(cls) -> Self:
        """The settings of this process.

        Raises
        ------
        InputError
            Code ``bad_setting``.
        """
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(
                f"The setting {_PREFIX}{str(first['loc'][0]).upper()} cannot be used.",
                expected=first["msg"].removeprefix("Value error, "),
                got=repr(first["input"])[:64],
                hint="Correct it or unset it.",
                code="bad_setting",
            ) from None
