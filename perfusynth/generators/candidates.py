"""Candidates: trained bundles that wait for an admin's word; none is ever live by itself."""

import os
import re
import secrets
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from perfusynth.generators.bundles import Bundle, read_bundle, readable_bundles
from perfusynth.home import home

#: Hexadecimal digits of the weights' SHA-256 in a candidate's name: enough to tell the runs of a day apart. [d]
HASH_DIGITS = 8
_SUFFIX = re.compile(r"-\d{8}-[0-9a-f]{8}$")


def candidates_folder() -> Path:
    """Folder of the installation's candidates; may not exist yet."""
    return home() / "candidates"


def candidates() -> dict[str, Bundle]:
    """Every readable candidate by name."""
    return readable_bundles(candidates_folder())


def keep_candidate(export: Callable[[Path], object], trained_from: str) -> Bundle:
    """Make a bundle and keep it as a candidate named ``<name>-<UTC date>-<start of the weights' hash>``.

    Parameters
    ----------
    export
        Writes the bundle to the folder that it is given, which does not exist yet.
    trained_from
        Name of the bundle that the run began with; its own date and hash, if it has them, are left out.

    Returns
    -------
    The candidate. Weights that are a candidate already are not kept twice.

    Raises
    ------
    InputError
        Code ``weights_changed``: what was exported does not match its own metadata.
    """
    candidates_folder().mkdir(parents=True, exist_ok=True)
    fresh = candidates_folder() / f"{secrets.token_hex(8)}.part"
    try:
        export(fresh)
        made = read_bundle(fresh)
        made.verify()
        name = f"{_SUFFIX.sub('', trained_from)}-{datetime.now(UTC):%Y%m%d}-{made.spec.weights_sha256[:HASH_DIGITS]}"
        target = candidates_folder() / name
        if not target.exists():
            os.replace(fresh, target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return read_bundle(target)
