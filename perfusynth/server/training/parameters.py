"""What a request may say about a training run: few plain values, each with its limits; anything else is refused.

No value is a path, a name of code or an expression: where data and models lie is the server's own knowledge.
"""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from perfusynth.server.known_values import known_values
from perfusynth.server.problems import Problem

#: What MONAI Label's clients send along; it says nothing about the training.
_IGNORED: Final = frozenset({"client_id", "model"})


class TrainingParameters(BaseModel):
    """Parameters of one run; what they leave open is said by the live bundle's ``train.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    data: Literal["studies", "phantom"] | None = Field(
        None, description="the server's case folders, or digital patients; to be said unless a run is resumed"
    )
    phantom_seeds: str = Field(
        "1000000:1001000",
        pattern=r"^[0-9]{1,9}:[0-9]{1,9}$",
        description="digital patients A:B, B not included, shared out to train, tune, calibrate and test",
    )
    start_from: Literal["live", "random"] = Field("live", description="the live model's weights (fine-tuning), or none")
    steps: int | None = Field(
        None, ge=1, le=1_000_000, description="of all phases, shared out to them as the bundle does; null: the bundle's"
    )
    learning_rate_factor: float = Field(
        1.0, ge=1e-3, le=10, description="times the bundle's learning rates; fine-tuning asks for 0.1 or so"
    )
    minutes: float | None = Field(
        None, gt=0, le=7 * 24 * 60, description="the run pauses after so long; resume it to go on"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of all that is drawn at random")
    resume: bool = Field(False, description="go on with the last run that did not end; minutes alone may be said anew")

    @model_validator(mode="after")
    def _whole(self) -> "TrainingParameters":
        if self.resume and self.model_fields_set - {"resume", "minutes"}:
            raise ValueError("resume goes with minutes alone")
        if not self.resume and self.data is None:
            raise ValueError("data is missing")
        first, end = self.seeds
        if not first < end:
            raise ValueError("phantom_seeds A:B needs A < B")
        return self

    @property
    def seeds(self) -> tuple[int, int]:
        """``phantom_seeds`` as a half-open range."""
        first, end = self.phantom_seeds.split(":")
        return int(first), int(end)


def parse_parameters(value: Any) -> TrainingParameters:
    """Check the body of a request.

    Raises
    ------
    Problem
        422: no JSON object, an unknown parameter, or a value out of its limits.
    """
    if not isinstance(value, dict):
        raise _bad("a JSON object", "something else")
    given = known_values(value, TrainingParameters, _IGNORED, _bad)
    try:
        return TrainingParameters.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "the parameters"
        raise _bad(f"{name}: {first['msg']}", "another value") from None


def offered() -> dict[str, Any]:
    """The parameters as MONAI Label's clients show them: a default, or a list of choices."""
    fields = TrainingParameters.model_fields
    return {
        "data": ["studies", "phantom"],
        "start_from": ["live", "random"],
        "resume": fields["resume"].default,
        **{name: fields[name].default for name in ("phantom_seeds", "learning_rate_factor", "seed")},
    }


def _bad(expected: str, got: str) -> Problem:
    return Problem(
        422,
        "These training parameters cannot be used.",
        expected=expected,
        got=got,
        hint="GET /info/ lists the parameters of each trainer; paths, targets and scripts are never taken.",
        code="bad_training_parameters",
    )
