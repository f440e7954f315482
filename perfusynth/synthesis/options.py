"""What a caller may ask of a synthesis."""

from pydantic import BaseModel, ConfigDict, Field


class RequestOptions(BaseModel):
    """Options that a request over HTTP or the command line may carry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    override: tuple[str, ...] = Field(
        (), description="codes of refusals that the caller takes responsibility for; recorded in the result"
    )


class SynthesisOptions(RequestOptions):
    """All options; those beyond `RequestOptions` are for benchmarks and set by code only."""

    checks: bool = Field(True, description="check that the input is an NCCT of a head that may be synthesised")
    mask: bool = Field(True, description="find the brain; without it the whole image counts as brain")
