"""Job ids that say by themselves whether this installation once gave them to this user."""

import hashlib
import hmac
import logging
import re
import secrets
from pathlib import Path

from perfusynth.server.private_file import write_private

logger = logging.getLogger(__name__)

_FORM = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}")


class JobIds:
    """Makes ids ``<128 random bits>-<64-bit MAC of them and of the user>``.

    The key outlives the process, so that after a restart an old id can be told from nonsense (410, not 404), and only
    to the user to whom it belonged.

    Parameters
    ----------
    key_file
        Where the key is kept (mode 0600); made when it is missing.
    """

    def __init__(self, key_file: Path):
        self._key = _load_or_make(key_file)

    def new(self, user: str) -> str:
        """A fresh id for ``user``."""
        nonce = secrets.token_hex(16)
        return f"{nonce}-{self._mac(nonce, user)}"

    def was_issued(self, job_id: str, user: str) -> bool:
        """Whether ``new(user)`` once gave ``job_id``, in this run or an earlier one."""
        if not _FORM.fullmatch(job_id):
            return False
        nonce, mac = job_id.split("-")
        return hmac.compare_digest(mac, self._mac(nonce, user))

    def _mac(self, nonce: str, user: str) -> str:
        return hmac.new(self._key, f"{nonce}\0{user}".encode(), hashlib.sha256).hexdigest()[:16]


def _load_or_make(path: Path) -> bytes:
    try:
        if path.exists():
            key = path.read_bytes()
            if len(key) >= 32:
                return key
        key = secrets.token_bytes(32)
        write_private(path, key)
        return key
    except OSError as error:
        logger.warning("job id key not kept (%s): after a restart old ids answer 404", type(error).__name__)
        return secrets.token_bytes(32)
