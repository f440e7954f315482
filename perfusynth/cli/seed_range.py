"""Reading a range of seeds ``A:B`` from the command line."""

from perfusynth.errors import InputError


def seed_range(text: str) -> range:
    """Turn ``"3000000:3000200"`` into a range.

    Raises
    ------
    InputError
        Code ``bad_seeds``.
    """
    first, separator, end = text.partition(":")
    if not (separator and first.isdecimal() and end.isdecimal() and int(first) < int(end)):
        raise InputError(
            "The range of seeds cannot be read.",
            expected="A:B with whole numbers A < B",
            got=repr(text[:64]),
            hint="For example 3000000:3000200.",
            code="bad_seeds",
        )
    return range(int(first), int(end))
