"""`prepare`: a source of studies to a folder of cases, patient by patient; stopped, it goes on where it was."""

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from perfusynth import __version__
from perfusynth.errors import Cancelled, InputError
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.registration.register import register
from perfusynth.studies.layouts import layout_of, subjects_of
from perfusynth.studies.ledger import LOCK_FILE, Entry, Ledger
from perfusynth.studies.prepare_case import Registrar, Tools, prepare_case
from perfusynth.studies.pseudonyms import Pseudonyms
from perfusynth.studies.settings import PrepareSettings
from perfusynth.studies.subjects import Excluded, Layout, Study, Subject, excluded_for
from perfusynth.studies.summary import write_summary
from perfusynth.volumes.brain import BrainExtractor
from perfusynth.volumes.builtin_brain import BuiltinBrain

#: A folder in which a case is being made begins and ends with these.
MAKING = (".", ".making")
#: Where cases go that are none any more, with all that annotators have done for them, and the code of their exclusion.
SET_ASIDE, SUPERSEDED = ".superseded", "superseded"
#: Exclusions that are faults of the program or the machine, not of a study: a later run tries again.
TRY_AGAIN = re.compile(r"unforeseen|(no_)?totalsegmentator.*|other_weights")
#: Share of a study's work that is reading.
READING = 0.15


@dataclass(frozen=True)
class Prepared:
    """What a run has done.

    Parameters
    ----------
    cases
        All cases of the folder by name.
    made
        Those that this run made.
    excluded
        All that was left out: patient, case (may be empty), code, reason.
    changed
        Cases that are there although the files they were made of have changed; they are left as they are.
    """

    cases: Sequence[str]
    made: Sequence[str]
    excluded: Sequence[dict[str, str]]
    changed: Sequence[str]


def prepare(
    source: Path,
    out: Path,
    settings: PrepareSettings | None = None,
    *,
    pseudonyms: Pseudonyms,
    layout: Layout | None = None,
    extractor: BrainExtractor | None = None,
    registrar: Registrar | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Prepared:
    """Prepare studies.

    Parameters
    ----------
    source
        A tree of DICOM files, ISLES'24's layout, or a folder of case folders.
    out
        Receives a case folder each (`sub-<hash>_ses-<hash>`), ``exclusions.json`` and ``.csv``, ``summary.html``, and
        ``prepared.json``, by which the same command goes on.
    pseudonyms
        Names for patients.
    layout
        None: told by what the folder holds.
    extractor, registrar
        What finds brains and what registers; None: the built-in ones.

    Raises
    ------
    InputError
        The source holds nothing, ``out`` something else (``exists``, ``other_settings``, ``other_salt``), or another
        run is at work in it (``in_use``). Whatever is wrong with single studies is listed among the exclusions instead.
    Cancelled
        From ``on_progress``; finished cases stay.
    """
    settings = settings or PrepareSettings()
    layout = layout or layout_of(source)
    asked = settings.as_dict(), pseudonyms.mark("salt")
    Ledger(out, *asked)  # refuses before a long search
    on_progress("look for studies", 0.0)
    subjects = subjects_of(source, layout, settings, on_progress)
    tools = Tools(extractor or BuiltinBrain(), registrar or register)
    with _alone(out):
        ledger = Ledger(out, *asked)
        _clear(out)
        ledger.write()
        run = _Run(out, settings, tools, pseudonyms, ledger)
        for number, subject in enumerate(subjects):

            def listen(stage: str, fraction: float, number: int = number) -> None:
                place = f"patient {number + 1} of {len(subjects)}"
                on_progress(f"{place}: {stage}", (number + fraction) / len(subjects))

            run.prepare(subject, listen)
        ledger.write()
        write_summary(out, ledger)
    on_progress("done", 1.0)
    return Prepared(ledger.cases, run.made, ledger.exclusions, run.changed)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """No other run works in the folder meanwhile: it would take this one's halves for those of a killed run."""
    out.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(out / LOCK_FILE).acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"Another run is at work in {out}.",
            expected="one run of perfusynth prepare at a time",
            got="a second one",
            hint="Wait until it has ended, or choose another folder with -o.",
            code="in_use",
        ) from None
    with lock:
        yield


def _clear(out: Path) -> None:
    """Take away what a run that was killed left halfway."""
    start, end = MAKING
    for folder in out.glob(f"{start}*{end}"):
        shutil.rmtree(folder)


class _Run:
    """One run over a source."""

    def __init__(self, out: Path, settings: PrepareSettings, tools: Tools, pseudonyms: Pseudonyms, ledger: Ledger):
        self.out, self.settings, self.tools, self.pseudonyms, self.ledger = out, settings, tools, pseudonyms, ledger
        self.made: list[str] = []
        self.changed: list[str] = []

    def prepare(self, subject: Subject, on_progress: OnProgress) -> None:
        """One patient; nothing is done where his files, and what looks at them, are the same as before."""
        patient = self.pseudonyms.patient(subject.identity)
        mark = self.pseudonyms.mark(subject.signature)
        before = self.ledger.entries.get(patient) or Entry("")
        finished = before.mark == mark and (before.software == __version__ or not before.excluded)
        if finished and all((self.out / case).is_dir() for case in before.cases):
            return
        on_progress("look through", 0.0)
        entry = Entry(mark)
        studies, excluded = self._studies(subject, on_progress)
        for number, study in enumerate(studies):
            name = self.pseudonyms.case(subject.identity, study.session)

            def listen(stage: str, fraction: float, number: int = number) -> None:
                on_progress(stage, (number + fraction) / len(studies))

            fault = None if self._is_there(name) else self._case(name, study, listen)
            if fault is None:
                entry.cases.append(name)
                entry.series[name] = [self.pseudonyms.mark(uid) for uid in study.session.split("\0")]
            else:
                excluded.append(fault)
        entry.software = "" if any(TRY_AGAIN.fullmatch(item.code) for item in excluded) else __version__
        entry.excluded = [self._row(subject, item) for item in excluded] + self._superseded(before, entry)
        if before.mark not in ("", mark):
            self.changed += [case for case in before.cases if case in entry.cases]
        self.ledger.keep(patient, entry)

    def _is_there(self, name: str) -> bool:
        """Whether a case has been made; one that was set aside is put back."""
        aside, place = self.out / SET_ASIDE / name, self.out / name
        if aside.exists() and not place.exists():
            aside.rename(place)
        return place.exists()

    def _superseded(self, before: Entry, entry: Entry) -> list[dict[str, str]]:
        """Set earlier cases aside of whose series another case is made by now, lest one study is trained on twice;
        those whose files are merely gone from the source stay among the cases. Returns all exclusions of that kind."""
        rows = [row for row in before.excluded if row["code"] == SUPERSEDED and row["case"] not in entry.cases]
        for case in before.cases:
            if case in entry.cases or not (self.out / case).is_dir():
                continue
            own = before.series.get(case, [])
            heir = next((name for name in entry.cases if not set(own).isdisjoint(entry.series[name])), None)
            if heir is None:
                entry.cases.append(case)
                entry.series[case] = own
                continue
            (self.out / SET_ASIDE).mkdir(exist_ok=True)
            (self.out / case).rename(self.out / SET_ASIDE / case)
            reason = f"The files now make another pair of the same series, {heir}; this one lies in {SET_ASIDE}."
            rows.append({"case": case, "code": SUPERSEDED, "reason": reason})
        return rows

    def _studies(self, subject: Subject, on_progress: OnProgress) -> tuple[list[Study], list[Excluded]]:
        try:
            return subject.studies(lambda stage, fraction: on_progress(stage, 0.0))
        except Exception as error:
            return [], [_exclusion(error)]

    def _case(self, name: str, study: Study, on_progress: OnProgress) -> Excluded | None:
        """Make one case; the folder appears when it is whole."""
        start, end = MAKING
        making = self.out / f"{start}{name}{end}"
        making.mkdir(parents=True)
        try:
            images = study.read(lambda stage, fraction: on_progress("read", READING * fraction))
            prepare_case(
                making,
                images,
                self.settings,
                self.tools,
                lambda stage, fraction: on_progress(stage, READING + (1 - READING) * fraction),
            )
            making.rename(self.out / name)
            self.made.append(name)
        except Exception as error:
            return _exclusion(error, study.session)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return None

    def _row(self, subject: Subject, item: Excluded) -> dict[str, str]:
        case = self.pseudonyms.case(subject.identity, item.session) if item.session else ""
        return {"case": case, "code": item.code, "reason": item.reason}


def _exclusion(error: Exception, session: str = "") -> Excluded:
    """What is wrong with one study as an exclusion; a full disk or memory and the user's wish to stop
    are not its fault."""
    if isinstance(error, InputError):
        return excluded_for(error, session)
    if isinstance(error, Cancelled | OSError | MemoryError):
        raise error
    # One study that nobody foresaw must not end a night's work; the fault's type names nobody.
    reason = f"Something that was not foreseen went wrong: {type(error).__name__}."
    return Excluded("unforeseen", reason, session)
