"""What tests of the perfusion reader ask of its notes and refusals."""

from pathlib import Path

import pytest

from perfusynth.errors import InputError
from perfusynth.readers.perfusion_series import read_perfusion


def said(scan, *words: str) -> bool:
    """Whether one note holds all words."""
    return any(all(word in note for word in words) for note in scan.notes)


def refusal(path: Path, **options) -> InputError:
    """The refusal of a path: complete, and without anything that was secret in the files."""
    with pytest.raises(InputError) as caught:
        read_perfusion(path, **options)
    fault = caught.value
    assert all(fault.as_dict().values())
    for secret in ("Secret", "SECRET", str(path)):
        assert secret not in str(fault)
    return fault
