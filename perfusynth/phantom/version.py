"""Version of the phantom, and the hash of its parameters."""

import ast
import hashlib
import inspect
import json
import pkgutil
from collections.abc import Iterator
from dataclasses import is_dataclass
from importlib import import_module
from types import ModuleType

import numpy as np

import perfusynth.perfusion.deconvolution
import perfusynth.phantom

#: Changes whenever one seed would give another case.
PHANTOM_VERSION = "1.0"
#: Rooms whose constants decide on a case: what draws and renders a patient, and what makes maps of his curves.
MAKING = (perfusynth.phantom, perfusynth.perfusion.deconvolution)
#: What tells of patients or writes them down, but does not make them; and how much is computed at a time.
NOT_MAKING = (
    "perfusynth.phantom.case",
    "perfusynth.phantom.drawn",
    "perfusynth.phantom.version",
    "perfusynth.perfusion.deconvolution.deconvolve",
)


def parameter_hash() -> str:
    """SHA-256 (hex) over the version and all named constants of the modules that make a patient and his images.

    A constant counts where it is defined, not where it is imported: what a module needs may move without the hash.
    """
    constants = {
        f"{module.__name__}.{name}": _plain(value)
        for module in sorted(_modules(), key=lambda module: module.__name__)
        for name, value in _own_constants(module)
    }
    text = json.dumps({"version": PHANTOM_VERSION, **constants}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _modules() -> Iterator[ModuleType]:
    for room in MAKING:
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if not any(found.name == room or found.name.startswith(f"{room}.") for room in NOT_MAKING):
                yield import_module(found.name)


def _own_constants(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Names in capitals that the module itself assigns, and plain values or settings behind them."""
    for statement in ast.parse(inspect.getsource(module)).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        for target in targets:
            for node in ast.walk(target) if target is not None else ():
                if isinstance(node, ast.Name) and node.id.isupper():
                    yield node.id, getattr(module, node.id)


def _plain(value: object) -> object:
    """A value as text that is the same in every process."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, int | float | str | tuple | dict) or is_dataclass(value):
        return repr(value)
    return type(value).__name__
