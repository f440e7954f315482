"""Which case comes next: fetched with its images in one go, the one after it meanwhile, kept from other annotators."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from PerfuSynthLib.background import Background
from PerfuSynthLib.connection_problems import ConnectionLost
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.problems import Problem

from .case_returns import CaseReturns
from .look_settings import CTP, TMAX, ImageKind
from .prepare import Compared, Prepared, compare, prepare
from .worklist_answers import TO_CHECK, Case, Nothing, Row
from .worklist_client import LEASED, WorklistClient

#: How often cases are asked for again, so that no lease (30 minutes, a setting of the server) ends, s. [d]
RENEW_S = 240.0
#: Lanes of the background.
_OPENING, _AHEAD, _LIST, _RENEWING, _GIVING_BACK = "case", "case ahead", "worklist", "leases", "cases back"


class LoadedCase(NamedTuple):
    """A case with its images, and what is needed to look at them; ``client`` is the server it is from."""

    client: WorklistClient
    case: Case
    fixed: GridVolume
    moving: GridVolume
    prepared: Prepared
    compared: Compared


class Unreadable(NamedTuple):
    """A case whose images cannot be shown, and why."""

    name: str
    problem: Problem


#: What a lane works off for a case: it is given ``cancelled``, and finds a case, none, or one that is unreadable.
_Fetch = Callable[[Callable[[], bool]], Any]


class Cases:
    """The server's worklist, and the way from it to a case that can be shown. All belongs to the main thread.

    Parameters
    ----------
    background, changed
        Where the fetching is done; what is called when something may look different.
    on_loaded
        Told a case that was asked for, once its images are there.

    Attributes
    ----------
    rows
        The worklist, worst first.
    loading
        Whether a case is on its way.
    text, failed
        How it stands, in words, and whether that is a problem.
    lost
        Name of a case that another annotator was given because its lease had ended; empty where there is none.
    """

    def __init__(self, background: Background, changed: Callable[[], None], on_loaded: Callable[[LoadedCase], None]):
        self._background, self._changed, self._on_loaded = background, changed, on_loaded
        self._client: WorklistClient | None = None
        self._returns = CaseReturns()
        self.rows: list[Row] = []
        self.loading = False
        self.text, self.failed = "", False
        self.lost = ""
        self._begin()

    def _begin(self) -> None:
        self._ahead: LoadedCase | None = None
        self._awaits_ahead = False
        self._open = ""
        self._coming: dict[str, str] = {}  # lane: the case whose images it fetches; written by its thread
        self._skipped: list[str] = []
        self._renewed = time.monotonic()
        self._bytes = [0]

    def use(self, client: WorklistClient | None, still_open: str = "") -> None:
        """Work with another server, as somebody else, or not at all; ``still_open`` is worked on from there, too."""
        before, held = self._client, self._held()
        for lane in (_OPENING, _AHEAD, _LIST, _RENEWING):
            self._background.forget(lane)
        self._client, self.rows, self.loading = client, [], False
        self._say("")
        self._begin()
        if still_open:
            self._open, self._renewed = still_open, float("-inf")  # it is taken at once, by whoever it is now
        if before is not None and held:
            for name in held:
                self._returns.add(before, name)
            self._background.run(_GIVING_BACK, lambda _: self._returns.tell(), _ignore, _ignore)
        self.refresh()

    def start_over(self) -> None:
        """Nothing is open or awaited any more: the scene was closed. Others may have what was."""
        self.use(self._client)

    # --- what there is

    @property
    def to_check(self) -> int:
        """Cases without a final registration, whoever has them."""
        return sum(row.state == TO_CHECK for row in self.rows)

    @property
    def fetched_mb(self) -> float:
        """How much of the images has come so far, MB."""
        return self._bytes[0] / 1e6

    @property
    def is_ready(self) -> bool:
        """Whether the next case lies here already."""
        return self._ahead is not None

    @property
    def giving_back(self) -> bool:
        """Whether `let_go` is not through yet."""
        return self._background.busy(_GIVING_BACK)

    def refresh(self) -> None:
        """Fetch the worklist anew."""
        client = self._client
        if client is not None:
            self._background.run(_LIST, lambda cancelled: client.worklist(), self._listed, self._not_listed)

    # --- the way to a case

    def next(self) -> None:
        """Open the worst case that is left; the one that is open goes back to the others."""
        client = self._client
        if client is None or self.loading:
            return
        self.leave(skip=True)
        ahead, self._ahead = self._ahead, None
        self._start("Fetching the next case ...")
        if ahead is not None:
            self._opened(ahead)
        elif self._background.busy(_AHEAD):
            self._awaits_ahead = True
        else:
            self._background.run(_OPENING, self._fetching_next(client, _OPENING), self._opened, self._not_opened)

    def open(self, name: str) -> None:
        """Open a chosen case."""
        client = self._client
        if client is None or self.loading:
            return
        is_ahead = self._ahead is not None and self._ahead.case.name == name
        if is_ahead or self._coming.get(_AHEAD) == name:
            self.next()
            return
        if self._open and self._open != name:
            self._returns.add(client, self._open)  # the next case's request would tell so, but there may be none
        self.leave(skip=True)
        self._skipped = [skipped for skipped in self._skipped if skipped != name]
        self._start(f"Fetching {name} ...")
        fetching = self._fetching(client, lambda: client.take(name), _OPENING)
        self._background.run(_OPENING, fetching, self._opened, self._not_opened)

    def leave(self, skip: bool) -> None:
        """The open case is not worked on any more; skipped, it is passed over until nothing else is left."""
        if self._open and skip:
            self._skipped.append(self._open)
        self._open = ""

    def tick(self) -> None:
        """Ask for the cases that are here again, once in a while."""
        client, held = self._client, self._held()
        is_due = time.monotonic() - self._renewed > RENEW_S and not self._background.busy(_RENEWING)
        if client is not None and held and is_due:
            self._renewed = time.monotonic()
            self._background.run(_RENEWING, lambda _: self._renew(client, held), self._renewed_but, _ignore)

    def let_go(self) -> None:
        """Give the cases back that nobody works on any more: the program ends."""
        self.use(None)

    # --- inside

    def _held(self) -> list[str]:
        ahead = [self._ahead.case.name] if self._ahead is not None else []
        return sorted({name for name in (self._open, *ahead, *self._coming.values()) if name})

    def _renew(self, client: WorklistClient, names: list[str]) -> list[str]:
        """Keep cases for longer; returns those that others were given meanwhile."""
        self._returns.tell()
        lost = []
        for name in names:
            try:
                client.take(name)
            except Problem as problem:  # of any other the next time is not too late
                if problem.code == LEASED:
                    lost.append(name)
        return lost

    def _fetching_next(self, client: WorklistClient, lane: str) -> _Fetch:
        held, skipped = self._held(), list(self._skipped)
        return self._fetching(client, lambda: client.next(held, skipped), lane)

    def _fetching(self, client: WorklistClient, ask: Callable[[], Case | Nothing], lane: str) -> _Fetch:
        """What a lane does for a case: ask for it, fetch its images; one that is not wanted any more goes back."""
        counter, coming, returns = self._bytes, self._coming, self._returns

        def fetch(cancelled: Callable[[], bool]) -> LoadedCase | Nothing | Unreadable:
            returns.tell()
            case = ask()
            if isinstance(case, Nothing):
                return case
            coming[lane] = case.name
            found: LoadedCase | Unreadable | None = None
            try:
                if not cancelled():
                    found = _load(client, case, counter, cancelled)
            except ConnectionLost:
                raise
            except Problem as problem:
                found = Unreadable(case.name, problem)
            finally:
                if cancelled() or not isinstance(found, LoadedCase):
                    coming.pop(lane)
                    returns.add(client, case.name)
                    returns.tell()
            return found or Unreadable(case.name, Problem("cancelled", "The case is not wanted any more.", ""))

        return fetch

    def _start(self, text: str) -> None:
        self.loading, self.lost, self._awaits_ahead, self._bytes = True, "", False, [0]
        self._say(text)

    def _opened(self, found: LoadedCase | Nothing | Unreadable) -> None:
        self.loading = self._awaits_ahead = False
        if isinstance(found, Unreadable):
            self._skipped.append(found.name)
            what = f"{found.name} cannot be opened: {found.problem.what} {found.problem.what_to_do}"
            self._say(f"{what} The next case is another one.", failed=True)
            return
        if isinstance(found, Nothing) and self._skipped:
            self._skipped = []  # nothing else is left: those that were passed over come again
            self.next()
            return
        if isinstance(found, Nothing):
            others = found.with_others
            self._say(f"Other annotators have the last {others}." if others else "All cases are checked.")
            return
        self._say("")
        self._open = found.case.name
        self._came(found)
        self._on_loaded(found)
        self.refresh()
        self.look_ahead()

    def look_ahead(self) -> None:
        """Fetch the case after the open one, while a person looks at that."""
        client = self._client
        if client is not None and self._ahead is None and not self._background.busy(_AHEAD):
            self._bytes = [0]
            self._background.run(_AHEAD, self._fetching_next(client, _AHEAD), self._came_ahead, self._not_ahead)

    def _came_ahead(self, found: LoadedCase | Nothing | Unreadable) -> None:
        if self._awaits_ahead:
            self._opened(found)
        elif isinstance(found, Unreadable):
            self._skipped.append(found.name)
            self.look_ahead()
        elif isinstance(found, LoadedCase):
            self._ahead = found
            self._came(found)
            self.refresh()
        self._changed()

    def _came(self, found: LoadedCase) -> None:
        for lane in [lane for lane, name in self._coming.items() if name == found.case.name]:
            del self._coming[lane]

    def _not_ahead(self, problem: Problem) -> None:
        if self._awaits_ahead:
            self._not_opened(problem)

    def _not_opened(self, problem: Problem) -> None:
        self.loading = self._awaits_ahead = False
        self._say(f"{problem.what} {problem.what_to_do}", failed=True)

    def _renewed_but(self, lost: list[str]) -> None:
        """Other annotators have these cases by now."""
        self.lost = self._open if self._open in lost else ""
        if self._ahead is not None and self._ahead.case.name in lost:
            self._ahead = None
        self._changed()

    def _listed(self, rows: list[Row]) -> None:
        self.rows = rows
        self._changed()

    def _not_listed(self, problem: Problem) -> None:
        self._say(f"The worklist cannot be fetched: {problem.what} {problem.what_to_do}", failed=True)

    def _say(self, text: str, failed: bool = False) -> None:
        self.text, self.failed = text, failed
        self._changed()


def kind_of(case: Case) -> ImageKind:
    """What the fixed image of a case is."""
    return TMAX if case.fixed_kind == "tmax" else CTP


def _ignore(_: Any) -> None:
    """Nobody waits for the answer."""


def _load(client: WorklistClient, case: Case, counter: list[int], cancelled: Callable[[], bool]) -> LoadedCase:
    """Both images of a case; ``counter`` holds the bytes that have come so far."""

    def count(before: int) -> Callable[[int, int], None]:
        def counted(come: int, _: int) -> None:
            counter[0] = before + come

        return counted

    moving = client.image(case.moving_image, count(0))
    fixed = client.image(case.fixed_image, count(counter[0]))
    prepared = prepare(moving, cancelled=cancelled)
    return LoadedCase(client, case, fixed, moving, prepared, compare(fixed, moving, kind_of(case)))
