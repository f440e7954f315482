"""Arrays over many seeds, made by several processes and kept on disk in chunks, so that a run can be resumed."""

import hashlib
import inspect
import io
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType

import numpy as np

from perfusynth import atomic
from perfusynth.errors import InputError

Arrays = dict[str, np.ndarray]
#: Makes the arrays of some seeds, first axis along the seeds; a function of a module, so that processes can have it.
Make = Callable[[range], Arrays]
#: Is told how many seeds are done and how many are wanted.
OnProgress = Callable[[int, int], None]


def check_identity(folder: Path, identity: dict) -> None:
    """Write what a folder's chunks are made from (``bank.json``), or refuse a folder made from something else."""
    path = folder / "bank.json"
    if not path.exists():
        atomic.write_bytes(path, (json.dumps(identity, indent=2) + "\n").encode())
        return
    got = json.loads(path.read_text())
    differing = sorted(key for key in identity if got.get(key) != identity[key])
    if differing:
        raise InputError(
            f"The bank in {folder} was drawn from another phantom.",
            expected=", ".join(f"{key} {identity[key]}" for key in differing),
            got=", ".join(f"{key} {got.get(key)}" for key in differing),
            hint="Choose another folder, or delete this one to draw the bank anew.",
            code="other_phantom",
        )


def code_stamp(*modules: ModuleType) -> str:
    """Eight hex digits that change with the source of any of these modules: chunks of other code are not mixed in."""
    return hashlib.sha256("".join(inspect.getsource(module) for module in modules).encode()).hexdigest()[:8]


def _write(path: Path, make: Make, seeds: range) -> int:
    content = io.BytesIO()
    np.savez(content, **make(seeds))
    atomic.write_bytes(path, content.getvalue())
    return len(seeds)


def chunked(
    folder: Path,
    stem: str,
    seeds: range,
    make: Make,
    *,
    size: int,
    processes: int,
    on_progress: OnProgress | None = None,
) -> Arrays:
    """Arrays of consecutive ``seeds``, made in chunks of ``size`` where they are not yet in ``folder``."""
    wanted = {}
    for first in range(seeds.start, seeds.stop, size):
        part = range(first, min(first + size, seeds.stop))
        wanted[folder / f"{stem}_{part.start}_{len(part)}.npz"] = part
    missing = {path: part for path, part in wanted.items() if not path.exists()}
    done = len(seeds) - sum(len(part) for part in missing.values())
    if on_progress is not None:
        on_progress(done, len(seeds))

    def tell(count: int) -> None:
        nonlocal done
        done += count
        if on_progress is not None:
            on_progress(done, len(seeds))

    if processes == 1:
        for path, part in missing.items():
            tell(_write(path, make, part))
    elif missing:
        # Fresh processes: no thread of the caller is forked.
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            for count in pool.map(_write, missing, [make] * len(missing), missing.values()):
                tell(count)
    chunks = []
    for path in wanted:
        with np.load(path) as arrays:
            chunks.append(dict(arrays))
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
