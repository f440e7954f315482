"""Version of the phantom, the hash of its parameters, and what this version leaves out.

Left out in 0.1: swelling, falx and tentorium, calcifications, individual gyri (the templates are averages, warped),
CTP, CTA and MR, motion, measurement noise of the perfusion maps, limited CTP coverage (``valid`` is 1 everywhere).
"""

import hashlib
import json
from importlib import import_module

#: Changes whenever one seed would give another case.
PHANTOM_VERSION = "0.1"


#: The modules of this package that make a case; their named constants are its parameters.
PARAMETER_MODULES = (
    "anatomy",
    "arteries",
    "attenuation",
    "noise",
    "patient",
    "perfusion_fields",
    "pose",
    "scanners",
    "skull",
    "territories",
)


def parameter_hash() -> str:
    """SHA-256 (hex) over the version and all named constants of the modules that make a case."""
    constants = {
        f"{module.__name__}.{name}": repr(value)
        for module in (import_module(f"perfusynth.phantom.{name}") for name in PARAMETER_MODULES)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int | float | str | tuple | dict)
    }
    text = json.dumps({"version": PHANTOM_VERSION, **constants}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
