"""Patients by salted hash: without the salt, which stays in a private file, no name leads to a case nor back."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from perfusynth import atomic
from perfusynth.errors import InputError
from perfusynth.home import home

#: Name of the salt's file in the installation's own folder.
SALT_FILE = "studies.salt"
#: Bytes of a new salt, and fewest that are taken: 128 bits cannot be guessed.
SALT_BYTES, SALT_BYTES_MIN = 32, 16
#: Hexadecimal digits of patients and sessions: two of 100,000 patients meet with a chance of 3e-10, two sessions of one
#: patient with one of 2e-10.
PATIENT_DIGITS, SESSION_DIGITS = 16, 8


class Pseudonyms:
    """HMAC-SHA256 of identities, keyed with a salt."""

    def __init__(self, salt: bytes):
        self._salt = salt

    def patient(self, identity: str) -> str:
        """``sub-...``: the same for all sessions of a patient."""
        return f"sub-{self._digest('patient', identity)[:PATIENT_DIGITS]}"

    def case(self, identity: str, session: str) -> str:
        """``sub-..._ses-...``: the name of a case folder."""
        return f"{self.patient(identity)}_ses-{self._digest('session', identity, session)[:SESSION_DIGITS]}"

    def mark(self, text: str) -> str:
        """By which a text is known again."""
        return self._digest("mark", text)

    def _digest(self, *parts: str) -> str:
        message = "\0".join(parts).encode()
        return hmac.new(self._salt, message, hashlib.sha256).hexdigest()


def default_salt_file() -> Path:
    """Where the salt lies unless another file is named."""
    return home() / SALT_FILE


def pseudonyms_of(path: Path, out: Path) -> Pseudonyms:
    """The pseudonyms of a salt file; a new one is made where there is none.

    Parameters
    ----------
    out
        The folder of cases, in which the salt must not lie.

    Raises
    ------
    InputError
        Codes ``salt_in_output``, ``salt_not_private``, ``bad_salt``.
    """
    if path.resolve().is_relative_to(out.resolve()):
        raise _refused("The salt lies in the folder of cases.", "a file outside it", "a file in it", "salt_in_output")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic.write_bytes(path, secrets.token_hex(SALT_BYTES).encode() + b"\n", mode=0o600)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise _refused("Others can read the salt.", "a file of mode 600", "wider permissions", "salt_not_private")
    salt = path.read_bytes().strip()
    if len(salt) < SALT_BYTES_MIN:
        raise _refused("The salt is too short.", f"{SALT_BYTES_MIN} bytes or more", f"{len(salt)} bytes", "bad_salt")
    return Pseudonyms(salt)


def _refused(error: str, expected: str, got: str, code: str) -> InputError:
    hint = "Name another file with --salt; where it does not exist, one is made."
    return InputError(error, expected=expected, got=got, hint=hint, code=code)
