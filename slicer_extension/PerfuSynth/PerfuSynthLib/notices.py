"""The banner sentences that every view, report and export bears: the server's own, word for word."""

from __future__ import annotations

from collections.abc import Sequence

#: On everything that a generator made.
SYNTHETIC = "SYNTHETIC - research use only"

#: Second line while the model has only been validated on digital phantoms.
NOT_VALID_FOR_PATIENTS = "Trained on simulated patients, not valid for this patient"

#: On maps that the server measured.
DECONVOLVED = "Measured from CT perfusion - research use only"

#: On what is measured on maps that another program made.
VENDOR = "Maps of another program - research use only"

#: On numbers that were read back from a colour picture, with the line below it.
FROM_COLOURS = "From colours, not quantitative"
RESEARCH_USE_ONLY = "Research use only"

#: What a model's ``validated_on`` says as long as it calls for `NOT_VALID_FOR_PATIENTS`.
DIGITAL_PHANTOMS = "digital phantoms"

#: Closes every report.
NO_BASIS = "No basis for a treatment decision"


def notices_for(origin: str, validated_on: str | None = None) -> list[str]:
    """The banners that a result must bear, in order.

    Parameters
    ----------
    origin
        ``synthetic``, ``deconvolved``, ``vendor`` or ``colour_picture``; what is not known counts as ``synthetic``.
    validated_on
        What the model was validated on. Where it names digital phantoms in any way, or says nothing, a synthetic
        result bears the second line too.
    """
    measured = {"deconvolved": [DECONVOLVED], "vendor": [VENDOR], "colour_picture": [FROM_COLOURS, RESEARCH_USE_ONLY]}
    if origin in measured:
        return measured[origin]
    simulated = not validated_on or DIGITAL_PHANTOMS.rstrip("s") in validated_on.lower()
    return [SYNTHETIC, NOT_VALID_FOR_PATIENTS] if simulated else [SYNTHETIC]


def with_notices(given: Sequence[str], origin: str, validated_on: str | None) -> list[str]:
    """The banners of a result: those that it must bear, whether it brings them or not, then what it brings besides."""
    needed = notices_for(origin, validated_on)
    return [*needed, *(line for line in given if line not in needed)]
