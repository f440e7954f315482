"""Version of the phantom, and the hash of its parameters."""

import hashlib
import json
import pkgutil
from importlib import import_module

import perfusynth.phantom

#: Changes whenever one seed would give another case.
PHANTOM_VERSION = "0.2"


def parameter_hash() -> str:
    """SHA-256 (hex) over the version and all named constants of the phantom's modules."""
    modules = pkgutil.walk_packages(perfusynth.phantom.__path__, "perfusynth.phantom.")
    constants = {
        f"{module}.{name}": repr(value)
        for module in sorted(m.name for m in modules if not m.name.endswith(".version"))
        for name, value in vars(import_module(module)).items()
        if name.isupper() and isinstance(value, int | float | str | tuple | dict)
    }
    text = json.dumps({"version": PHANTOM_VERSION, **constants}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
