"""What an annotator does at the registration panel, for tests: fill in, click, press keys, wait, look."""

import json
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from panel import Person
from qt_harness import python_qt

from perfusynth.registration.transform_file import transform_bytes

MODULE_FILE = Path(__file__).parents[3] / "slicer_extension" / "PerfuSynthRegistration" / "PerfuSynthRegistration.py"


class Annotator(Person):
    """Somebody at a desktop program with the registration module open."""

    def __init__(self, folder: Path, view_size: tuple[int, int] = (200, 200)):
        super().__init__(folder, view_size, MODULE_FILE)
        self.work = self.session.work
        self._folder = folder
        #: What went wrong in a slot, which Qt tells nobody.
        self.faults: list[str] = []
        sys.excepthook = lambda *error: self.faults.append("".join(traceback.format_exception(*error)))

    @property
    def case(self) -> str:
        """Name of the open case; empty without one."""
        return self.work.case.name if self.work.case is not None else ""

    def next_case(self) -> str:
        """Click *Next case* and wait for the images; returns the case's name."""
        before = self.work.loaded
        self.program.wait(lambda: self.ui.nextButton.enabled)
        self.program.click(self.ui.nextButton)
        self.wait_for_another(before)
        return self.case

    def wait_for_another(self, before) -> None:
        """Until a case is shown that was loaded after ``before``."""
        self.program.wait(lambda: self.work.loaded is not None and self.work.loaded is not before)

    @property
    def keys(self) -> dict:
        """The module's keys by their names."""
        return {key.key.toString(): key for key in self.program.widget.sections._shortcuts._shortcuts}

    def press(self, key: str, times: int = 1) -> None:
        """A key of the module, where it is alive."""
        found = self.keys[key]
        assert found.enabled, f"{key} does nothing now"
        for _ in range(times):
            found.activated.emit()
        python_qt.process_events(0.1)

    def correct(self, truth: np.ndarray) -> None:
        """Move the NCCT to where it belongs, as a drag would end."""
        self.work.scene.set_fixed_to_moving(truth, "by hand")
        self.program.wait(lambda: self.work.moved)

    def submit(self, button: str = "correctedRadio", reason: str = "", wait: bool = True) -> None:
        """Give a verdict and press *Submit*."""
        self.program.click(getattr(self.ui, button))
        if reason:
            self.ui.reasonEdit.setText(reason)
            self.ui.reasonEdit.textEdited.emit(reason)
        self.program.wait(lambda: self.ui.submitButton.enabled)
        self.program.click(self.ui.submitButton)
        if wait:
            self.program.wait(lambda: not self.session.submission.sending)

    def column(self, table: str, column: int) -> list[str]:
        """The texts of a table's column."""
        shown = getattr(self.ui, table)
        return [shown.item(row, column).text() for row in range(shown.rowCount)]

    def axial(self) -> np.ndarray:
        """Pixels of the axial view of both images."""
        python_qt.process_events(0.1)
        return self.program.desktop.views()["PerfuSynthRegistrationAxial"].pixels()

    def kept_files(self) -> Iterator[Path]:
        """Files of work that is not with the server."""
        return (path for path in self._folder.rglob("*.json") if "unsent" in path.parent.name)

    def close(self) -> None:
        super().close()
        sys.excepthook = sys.__excepthook__
        assert not self.faults, "\n".join(self.faults)


def submit_as(server, role: str, case: str, matrix: np.ndarray) -> None:
    """Another annotator's submission, over the server's own interface."""
    revision = server.call("GET", f"/registration/{case}", role).json()["revision"]
    answer = server.call(
        "PUT", f"/datastore/label?image={case}__ncct&tag=registration-final", role,
        files={"label": ("registration.tfm", transform_bytes(matrix, np.zeros(3)))},
        data={"params": json.dumps({"verdict": "corrected", "reason": "", "from": revision})},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
