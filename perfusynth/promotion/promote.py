"""Putting a model live and taking it back, one change at a time, each of them in the history."""

import fcntl
import os
import pwd
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from perfusynth import __version__
from perfusynth.errors import InputError
from perfusynth.generators.bundles import Bundle, installed_bundles
from perfusynth.generators.candidates import candidates, candidates_folder
from perfusynth.generators.registry import choose, live_names
from perfusynth.home import home
from perfusynth.promotion.comparison import Comparison
from perfusynth.promotion.contract import check_contract
from perfusynth.promotion.history import Begun, Closed, ModelIdentity, add_line, changes, lived, now


def account() -> str:
    """Who gives the order: the account that the operating system knows, not what an environment variable says."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def find_candidate(name: str) -> Bundle:
    """A candidate, or an installed bundle that is to go live (again).

    Raises
    ------
    InputError
        Code ``unknown_candidate``.
    """
    found = {**installed_bundles(), **candidates()}
    if name not in found:
        raise InputError(
            f"There is no candidate {name[:96]!r}.",
            expected=f"one of {', '.join(sorted(found)) or '(none)'}",
            got=repr(name[:96]),
            hint="`perfusynth models` lists candidates and installed models.",
            code="unknown_candidate",
        )
    return found[name]


def live_of(task: str) -> Bundle | None:
    """The live bundle of a task; None where the task has none yet.

    Raises
    ------
    InputError
        Code ``live_missing``: the registry names a bundle that is not installed.
    """
    name = live_names().get(task)
    if name is None:
        return None
    bundle = installed_bundles().get(name)
    if bundle is None:
        raise InputError(
            f"The live model of {task} is missing.",
            expected=f"the bundle {name}",
            got="none of this name that can be read",
            hint="Install it again, or take its line out of registry.json; then the shipped model is live.",
            code="live_missing",
        )
    return bundle


def check_promotable(candidate: Bundle) -> Bundle | None:
    """Check what can be checked before figures are made; returns the live bundle, if there is one.

    Raises
    ------
    InputError
        Codes ``weights_changed``, ``other_contract``, ``live_already``, ``live_missing``.
    """
    candidate.verify()
    live = live_of(candidate.spec.task)
    if live is not None:
        if ModelIdentity.of(candidate) == ModelIdentity.of(live):
            raise InputError(
                f"{candidate.name} is live already.",
                expected="a model that is not",
                got=candidate.name,
                hint="`perfusynth models history` tells since when.",
                code="live_already",
            )
        check_contract(candidate, live)
    return live


def promote(candidate: Bundle, comparison: Comparison) -> Begun:
    """Put a model live on the word of an admin who has seen ``comparison``.

    Raises
    ------
    InputError
        As `check_promotable`; ``other_report``: the figures are of other weights than those that are compared now.
    """
    with changing():
        live = check_promotable(candidate)
        comparison.check_weights(candidate, live)
        order = _order("promotion", candidate.spec.task, live, candidate, comparison)
        add_line(order)
        if candidate.path.parent == candidates_folder():
            _install(candidate)
        choose(candidate.spec.task, candidate.name)
        add_line(Closed(event="done", id=order.id, at=now()))
        return order


def previous(task: str) -> Bundle | None:
    """The model that a rollback of ``task`` puts live; None: none was live before the present one.

    Raises
    ------
    InputError
        Codes ``nothing_before`` (no promotion to undo, or ``registry.json`` was changed by hand since) and
        ``previous_changed`` (the earlier model is gone, or has other weights now).
    """
    live = live_of(task)
    models = lived(changes(task))
    if len(models) < 2 or models[-1] != (live and ModelIdentity.of(live)):
        raise InputError(
            f"There is nothing to go back to for {task[:64]}.",
            expected="a task whose live model was promoted",
            got="one whose history ends elsewhere" if models else "one without promotions",
            hint="`perfusynth models history` shows what was live; `models promote` takes installed models, too.",
            code="nothing_before",
        )
    earlier = models[-2]
    if earlier is None:
        return None
    bundle = installed_bundles().get(earlier.name)
    if bundle is None or bundle.weights_sha256() != earlier.weights_sha256:
        raise InputError(
            f"{earlier.name} is not what it was when it was live.",
            expected=f"weights with SHA-256 {earlier.weights_sha256}",
            got="no such bundle" if bundle is None else f"SHA-256 {bundle.weights_sha256()}",
            hint="Install the earlier weights under another name and promote them.",
            code="previous_changed",
        )
    return bundle


def roll_back(task: str) -> Begun:
    """Put the model live again that was live before the present one.

    Raises
    ------
    InputError
        As `previous`.
    """
    with changing():
        earlier = previous(task)
        order = _order("rollback", task, live_of(task), earlier)
        add_line(order)
        choose(task, earlier.name if earlier else None)
        add_line(Closed(event="done", id=order.id, at=now()))
        return order


@contextmanager
def changing() -> Iterator[None]:
    """One change at a time in this installation; what an earlier one left open is closed first."""
    home().mkdir(parents=True, exist_ok=True)
    with open(home() / "promotions.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        close_unfinished()
        yield


def close_unfinished() -> None:
    """Add the missing last line of changes whose process died: the registry tells whether they were made."""
    live = live_names()
    for change in changes():
        if change.state == "unfinished":
            made = live.get(change.order.task) == (change.order.after and change.order.after.name)
            add_line(Closed(event="done" if made else "abandoned", id=change.order.id, at=now()))


def _install(candidate: Bundle) -> None:
    target = home() / "models" / candidate.name
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(candidate.path, target)
    _wait_for_disk(target.parent)


def _wait_for_disk(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _order(
    kind: Literal["promotion", "rollback"],
    task: str,
    before: Bundle | None,
    after: Bundle | None,
    comparison: Comparison | None = None,
) -> Begun:
    return Begun(
        id=uuid.uuid4().hex,
        kind=kind,
        task=task,
        at=now(),
        who=account(),
        software=__version__,
        before=before and ModelIdentity.of(before),
        after=after and ModelIdentity.of(after),
        figures=comparison and comparison.as_json(),
        report_sha256=comparison and comparison.report_sha256,
    )
