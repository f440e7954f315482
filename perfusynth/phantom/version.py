"""Version of the phantom, and the hash of its parameters."""

import hashlib
import json
import pkgutil
from importlib import import_module

import perfusynth.phantom

#: Changes whenever one seed would give another case.
PHANTOM_VERSION = "0.2"
#: What tells of patients or writes them down, but does not make them.
NOT_MAKING = ("case", "sign", "version")


def parameter_hash() -> str:
    """SHA-256 (hex) over the version and all named constants of the modules that make a patient and his images."""
    modules = [m.name for m in pkgutil.walk_packages(perfusynth.phantom.__path__, "perfusynth.phantom.")]
    constants = {
        f"{module}.{name}": repr(value)
        for module in sorted(m for m in modules if m.split(".")[2] not in NOT_MAKING)
        for name, value in vars(import_module(module)).items()
        if name.isupper() and isinstance(value, int | float | str | tuple | dict)
    }
    text = json.dumps({"version": PHANTOM_VERSION, **constants}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
