"""What a folder of prepared cases says of itself: which patients are done, which cases were left out and why."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfusynth import __version__, atomic
from perfusynth.errors import InputError

#: By which a later run goes on, and the lock of the run that is at work.
LEDGER_FILE, LOCK_FILE = "prepared.json", ".prepare.lock"
#: Everything that was left out: a row for each study, series or patient.
EXCLUSIONS_JSON, EXCLUSIONS_CSV = "exclusions.json", "exclusions.csv"
COLUMNS = ("patient", "case", "code", "reason")


@dataclass
class Entry:
    """One patient.

    Parameters
    ----------
    mark
        Changes with his files.
    software
        Version that looked at them; empty: a fault of the machine kept it from doing so, and the next run tries again.
    cases, excluded
        His cases, and what was left out.
    series
        By case, marks of the series that it was made of.
    """

    mark: str
    software: str = ""
    cases: list[str] = field(default_factory=list)
    excluded: list[dict[str, str]] = field(default_factory=list)
    series: dict[str, list[str]] = field(default_factory=dict)


class Ledger:
    """The entries of a folder, written anew after each patient.

    Parameters
    ----------
    out
        The folder of cases.
    settings
        What the cases are made with.
    salt_mark
        By which the salt is known again.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any], salt_mark: str):
        self._out = out
        self._settings, self._salt_mark = dict(settings), salt_mark
        self.entries: dict[str, Entry] = {}
        path = out / LEDGER_FILE
        if path.exists():
            self._read(path)
        elif out.exists() and any(path.name != LOCK_FILE for path in out.iterdir()):
            raise InputError(
                f"{out} holds other files.",
                expected="a folder that does not exist yet, or one that this command began",
                got=f"a folder without {LEDGER_FILE}",
                hint="Choose another folder with -o.",
                code="exists",
            )

    def keep(self, patient: str, entry: Entry) -> None:
        """Write down one patient."""
        self.entries[patient] = entry
        self.write()

    def write(self) -> None:
        """Write the ledger and the lists of exclusions."""
        entries = {name: vars(entry) for name, entry in sorted(self.entries.items())}
        about = {"settings": self._settings, "salt_mark": self._salt_mark, "software": __version__}
        self._put(LEDGER_FILE, json.dumps({**about, "patients": entries}, indent=1))
        rows = self.exclusions
        self._put(EXCLUSIONS_JSON, json.dumps(rows, indent=1))
        table = io.StringIO()
        writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self._put(EXCLUSIONS_CSV, table.getvalue().rstrip("\n"))

    @property
    def exclusions(self) -> list[dict[str, str]]:
        """All rows, by patient."""
        return [{"patient": name, **row} for name, entry in sorted(self.entries.items()) for row in entry.excluded]

    @property
    def cases(self) -> list[str]:
        """Names of all cases."""
        return sorted(case for entry in self.entries.values() for case in entry.cases)

    def _put(self, name: str, text: str) -> None:
        atomic.write_bytes(self._out / name, (text + "\n").encode())

    def _read(self, path: Path) -> None:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            salt_mark, settings = content["salt_mark"], dict(content["settings"])
            self.entries = {name: Entry(**entry) for name, entry in content["patients"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _other("a ledger that can be read", type(error).__name__, "bad_ledger") from error
        if salt_mark != self._salt_mark:
            raise _other("the salt that these cases were named with", "another salt", "other_salt")
        differs = [name for name, value in self._settings.items() if settings.get(name) != value]
        if differs:
            told, before = (
                ", ".join(f"{name} {values.get(name)}" for name in differs) for values in (self._settings, settings)
            )
            raise _other(before, told, "other_settings")


def _other(expected: str, got: str, code: str) -> InputError:
    return InputError(
        "The folder was begun otherwise.",
        expected=expected,
        got=got,
        hint="Give the same options, or another folder with -o.",
        code=code,
    )
