"""What a bundle from elsewhere may consist of: known files, plain values, tensors. Nothing in it is executed.

MONAI's own bundles may carry expressions (``$...``), targets (``_target_``) and scripts; one that is installed here
names the entry of our own training as its only target, with plain values, or is refused.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from safetensors import SafetensorError, safe_open

from perfusynth.errors import InputError
from perfusynth.generators.bundles import read_bundle
from perfusynth.training.bundle_settings import EVALUATED, settings_of

#: Files with a fixed place.
KNOWN_FILES: Final = frozenset(
    {
        "configs/metadata.json",
        "configs/train.json",
        "configs/intervals.json",
        "configs/domain.json",
        "docs/README.md",
    }
)
_WEIGHTS: Final = re.compile(r"models/[A-Za-z0-9][A-Za-z0-9._-]{0,95}\.safetensors")
#: Largest file but for weights, bytes: a table of intervals has some kB, a domain of 1000 features some 100 kB. [d]
MAX_TEXT_BYTES: Final = 16 * 2**20
#: Largest sum of all, bytes: SD-Turbo's UNet and autoencoder in float32 are 3.8 GB. [d]
MAX_BUNDLE_BYTES: Final = 8 * 2**30
#: Deepest nesting of JSON: settings have four levels, tables two. [d]
MAX_DEPTH: Final = 32


def is_known(name: str) -> bool:
    """Whether a bundle may have a file of this name (relative, with ``/``)."""
    return name in KNOWN_FILES or _WEIGHTS.fullmatch(name) is not None


def largest(name: str) -> int:
    """Most bytes that a file of this name may have."""
    return MAX_BUNDLE_BYTES if name.endswith(".safetensors") else MAX_TEXT_BYTES


def check_name(name: str) -> None:
    """Refuse a file that no bundle has.

    Raises
    ------
    InputError
        Code ``unknown_file``.
    """
    if not is_known(name):
        raise bad_bundle(
            f"{', '.join(sorted(KNOWN_FILES))} and models/*.safetensors",
            f"a file {PurePosixPath(name).as_posix()[:96]!r}",
            "unknown_file",
        )


def check_bundle(folder: Path) -> None:
    """Check the content of a folder whose file names have passed `check_name`.

    Raises
    ------
    InputError
        Codes ``bad_bundle``, ``executable_bundle``, ``bad_train_json``, ``bad_weights`` and ``weights_changed``.
    """
    for path in sorted(folder.glob("configs/*.json")):
        _check_values(path.name, _read_json(path))
    if (folder / "configs" / "train.json").exists():
        settings_of(folder)
    bundle = read_bundle(folder)
    if not bundle.weight_files:
        raise bad_bundle("weights in models/*.safetensors", "none", "bad_weights")
    for path in bundle.weight_files:
        try:
            with safe_open(path, framework="numpy") as tensors:
                tensors.keys()
        except (SafetensorError, OSError) as fault:
            raise bad_bundle("weights as safetensors", type(fault).__name__, "bad_weights") from None
    bundle.verify()


def bad_bundle(expected: str, got: str, code: str) -> InputError:
    """A bundle that is not taken in."""
    return InputError(
        "This bundle is not installed.",
        expected=expected,
        got=got,
        hint="docs/architecture.md tells a bundle's form; take out what does not belong to it.",
        code=code,
    )


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise bad_bundle("JSON", f"something else in {path.name}", "bad_bundle") from None


def _check_values(name: str, content: Any) -> None:
    """Refuse what MONAI's parser would evaluate, follow or act on; the target of train.json is `settings_of`'s."""
    for key, value in _walk(name, content):
        evaluated = isinstance(value, str) and value.lstrip().startswith(EVALUATED)
        special = key.startswith("_") and key.endswith("_") and not (name == "train.json" and key == "_target_")
        if evaluated or special:
            raise bad_bundle(
                f"plain values in {name}",
                f"{key[:48]!r}, which MONAI's parser would {'evaluate' if evaluated else 'act on'}",
                "executable_bundle",
            )


def _walk(name: str, content: Any) -> Iterator[tuple[str, Any]]:
    """Each key of nested JSON with its value, level by level: how deep it goes is the sender's choice."""
    level = [("", content)]
    for _ in range(MAX_DEPTH):
        yield from level
        level = [
            (str(inner), item)
            for key, value in level
            if isinstance(value, dict | list)
            for inner, item in (value.items() if isinstance(value, dict) else ((key, item) for item in value))
        ]
    if level:
        raise bad_bundle(f"JSON of at most {MAX_DEPTH} levels", f"more in {name}", "bad_bundle")
