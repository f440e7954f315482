"""The banner sentences that every screen, report and export bears; nothing else spells them."""

#: On everything that a generator made.
SYNTHETIC = "SYNTHETIC - research use only"

#: Second line while the model has only been validated on digital phantoms.
NOT_VALID_FOR_PATIENTS = "Trained on simulated patients, not valid for this patient"

#: On numbers that were read back from a colour picture.
FROM_COLOURS = "From colours, not quantitative"

#: Value of a model's ``validated_on`` that calls for `NOT_VALID_FOR_PATIENTS`.
DIGITAL_PHANTOMS = "digital phantoms"


def notices_for(origin: str, validated_on: str | None = None) -> list[str]:
    """The banners that a result must bear, in order.

    Parameters
    ----------
    origin
        ``synthetic``, ``deconvolved``, ``vendor`` or ``colour_picture``.
    validated_on
        What the model was validated on; ``None`` where no model is involved.
    """
    if origin == "synthetic":
        return [SYNTHETIC, NOT_VALID_FOR_PATIENTS] if validated_on == DIGITAL_PHANTOMS else [SYNTHETIC]
    return [FROM_COLOURS] if origin == "colour_picture" else []
