"""The banner sentences that every screen, report and export bears; nothing else spells them."""

#: On everything that a generator made.
SYNTHETIC = "SYNTHETIC - research use only"

#: Second line while the model has only been validated on digital phantoms.
NOT_VALID_FOR_PATIENTS = "Trained on simulated patients, not valid for this patient"

#: On maps that this software measured, of patients and of digital phantoms.
DECONVOLVED = "Measured from CT perfusion - research use only"

#: On what is measured on maps that another program made.
VENDOR = "Maps of another program - research use only"

#: On numbers that were read back from a colour picture.
FROM_COLOURS = "From colours, not quantitative"

#: Beside `FROM_COLOURS`.
RESEARCH_USE_ONLY = "Research use only"

#: What a model's ``validated_on`` says as long as it calls for `NOT_VALID_FOR_PATIENTS`.
DIGITAL_PHANTOMS = "digital phantoms"


def notices_for(origin: str, validated_on: str | None = None) -> list[str]:
    """The banners that a result must bear, in order.

    Parameters
    ----------
    origin
        ``synthetic``, ``deconvolved``, ``vendor`` or ``colour_picture``.
    validated_on
        What the model was validated on; ``None`` where no model is involved. Where it names digital phantoms in any
        way, or says nothing, a synthetic result bears the second line too.
    """
    if origin == "synthetic":
        simulated = not validated_on or DIGITAL_PHANTOMS.rstrip("s") in validated_on.lower()
        return [SYNTHETIC, NOT_VALID_FOR_PATIENTS] if simulated else [SYNTHETIC]
    return {"deconvolved": [DECONVOLVED], "vendor": [VENDOR], "colour_picture": [FROM_COLOURS, RESEARCH_USE_ONLY]}[
        origin
    ]


def short_notice(notices: list[str]) -> str:
    """The banners in the 79 characters that a NIfTI header has for its description."""
    if NOT_VALID_FOR_PATIENTS in notices:
        return f"{SYNTHETIC}; simulated training, not valid for this patient"
    return "; ".join(notices)
