"""Numbers and blocks of ``measurements.json``: rounded, finite, frozen, nothing unknown in them."""

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _rounded(digits: int) -> BeforeValidator:
    def convert(value: Any) -> Any:
        # numpy scalars become plain floats; what is not a number is left to pydantic's own message.
        try:
            number = float(value)
        except (TypeError, ValueError):
            return value
        return round(number, digits) + 0.0 if math.isfinite(number) else number

    return BeforeValidator(convert)


Ml = Annotated[float, _rounded(2), Field(ge=0, description="mL")]
Ratio = Annotated[float, _rounded(3), Field(ge=0)]
Share = Annotated[float, _rounded(3), Field(ge=0, le=1)]
Percent = Annotated[float, _rounded(1), Field(ge=0, le=100, description="%")]
Distance = Annotated[float, _rounded(3), Field(ge=0)]
Number = Annotated[float, _rounded(4)]
Seconds = Annotated[float, _rounded(4), Field(ge=0, description="s")]
Millimetres = Annotated[float, _rounded(3), Field(ge=0, description="mm")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Vector = tuple[Annotated[float, _rounded(6)], Annotated[float, _rounded(6)], Annotated[float, _rounded(6)]]


class Block(BaseModel):
    """A part of the document."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
