"""`prepare`: a source of studies to a folder of cases, patient by patient; stopped, it goes on where it was."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perfusynth import __version__
from perfusynth.errors import Cancelled, InputError
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.registration.register import register
from perfusynth.studies.layouts import layout_of, subjects_of
from perfusynth.studies.ledger import Entry, Ledger
from perfusynth.studies.prepare_case import Registrar, Tools, prepare_case
from perfusynth.studies.pseudonyms import Pseudonyms
from perfusynth.studies.settings import PrepareSettings
from perfusynth.studies.subjects import Excluded, Layout, Study, Subject, excluded_for
from perfusynth.studies.summary import write_summary
from perfusynth.volumes.brain import BrainExtractor
from perfusynth.volumes.builtin_brain import BuiltinBrain

#: A folder in which a case is being made begins and ends with these.
MAKING = (".", ".making")
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
        The source holds nothing, or ``out`` something else (``exists``, ``other_settings``, ``other_salt``). Whatever
        is wrong with single studies is listed among the exclusions instead.
    Cancelled
        From ``on_progress``; finished cases stay.
    """
    settings = settings or PrepareSettings()
    layout = layout or layout_of(source)
    ledger = Ledger(out, settings.as_dict(), pseudonyms.mark("salt"))
    on_progress("look for studies", 0.0)
    subjects = subjects_of(source, layout, settings, on_progress)
    tools = Tools(extractor or BuiltinBrain(), registrar or register)
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
        mark = self.pseudonyms.mark(f"{__version__}\0{subject.signature}")
        before = self.ledger.entries.get(patient)
        if before is not None and before.mark == mark and all((self.out / case).is_dir() for case in before.cases):
            return
        on_progress("look through", 0.0)
        entry = Entry(mark)
        studies, excluded = self._studies(subject, on_progress)
        for number, study in enumerate(studies):
            name = self.pseudonyms.case(subject.identity, study.session)
            if (self.out / name).exists():
                entry.cases.append(name)
                self.changed += [name] if before is not None and before.mark != mark else []
                continue

            def listen(stage: str, fraction: float, number: int = number) -> None:
                on_progress(stage, (number + fraction) / len(studies))

            fault = self._case(name, study, listen)
            if fault is None:
                entry.cases.append(name)
                self.made.append(name)
            else:
                excluded.append(fault)
        entry.excluded = [self._row(subject, item) for item in excluded]
        self.ledger.keep(patient, entry)

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
        except Exception as error:
            return _exclusion(error, study.session)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return None

    def _row(self, subject: Subject, item: Excluded) -> dict[str, str]:
        case = self.pseudonyms.case(subject.identity, item.session) if item.session else ""
        return {"case": case, "code": item.code, "reason": item.reason}


def _exclusion(error: Exception, session: str = "") -> Excluded:
    """What is wrong with one study as an exclusion; a full disk and the user's wish to stop are not its fault."""
    if isinstance(error, InputError):
        return excluded_for(error, session)
    if isinstance(error, Cancelled | OSError):
        raise error
    # One study that nobody foresaw must not end a night's work; the fault's type names nobody.
    reason = f"Something that was not foreseen went wrong: {type(error).__name__}."
    return Excluded("unforeseen", reason, session)
