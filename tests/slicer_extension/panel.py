"""What a person does at the panel, for tests: fill in, click, wait, look."""

from pathlib import Path

import numpy as np
import slicer
from qt_harness.slicer_program import Program

MODULE_FILE = Path(__file__).parents[2] / "slicer_extension" / "PerfuSynth" / "PerfuSynth.py"


class Person:
    """Somebody at a desktop program with a module open."""

    def __init__(self, folder: Path, view_size: tuple[int, int] = (300, 300), module_file: Path = MODULE_FILE):
        folder.mkdir(exist_ok=True)
        self.program = Program(module_file, folder / "Slicer.ini", view_size)
        self.ui = self.program.ui
        self.session = self.program.widget.logic.session
        self.program.widget.enter()

    def connect_to(self, address: str, token: str = "", expect: str = "Connected") -> None:
        """Fill in the section Connect, press the button, and wait for words in the answer."""
        ui = self.ui
        ui.addressEdit.setText(address)
        ui.tokenEdit.setText(token)
        self.program.click(ui.testButton)
        connection = self.session.connection
        self.program.wait(lambda: connection.state != "checking" and ui.connectionLabel.text == connection.text)
        assert expect in connection.text, connection.text

    def load_phantom(self, brighter_hu: int = 0):
        """Bring the phantom's CT into the scene, as the program's own reader would; its name is a patient's."""
        from PerfuSynthLib.node_geometry import set_volume
        from small_scan import small_scan

        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "DOE^JANE 1955 HEAD")
        scan = small_scan()
        set_volume(node, scan._replace(array=scan.array + np.int16(brighter_hu)))
        node.CreateDefaultDisplayNodes()
        self.ui.volumeRadio.setChecked(True)
        self.ui.volumeSelector.setCurrentNode(node)
        return node

    def choose_study(self, study: str) -> None:
        """Choose a study of the server."""
        self.program.wait(lambda: self.ui.studyBox.findText(study) >= 0)
        self.ui.studyRadio.setChecked(True)
        self.ui.studyBox.setCurrentIndex(self.ui.studyBox.findText(study))

    def synthesize(self, consent: bool = True) -> None:
        """Press the button; answer the question about sending images."""
        self.program.answers["Send images to this server"] = consent
        self.program.wait(lambda: self.ui.applyButton.enabled)
        self.program.click(self.ui.applyButton)

    def wait_for_maps(self, seconds: float = 240.0) -> None:
        """Until maps and cleaned numbers are there."""
        self.program.wait(lambda: self.session.reader.settled, seconds)

    def number(self, label: str) -> str:
        """A value of the table."""
        return self._cell(label, 1)

    def interval(self, label: str) -> str:
        """A value's interval in the table."""
        return self._cell(label, 2)

    def _cell(self, label: str, column: int) -> str:
        table = self.ui.numbersTable
        for row in range(table.rowCount):
            if table.item(row, 0).text() == label:
                return table.item(row, column).text()
        raise AssertionError(f"no row {label!r} in {[table.item(row, 0).text() for row in range(table.rowCount)]}")

    def close(self) -> None:
        self.program.close()


def ml(text: str) -> float:
    """``12.3 mL`` as a number."""
    return float(text.removesuffix(" mL"))


def mask_ml(mask: np.ndarray, affine: np.ndarray) -> float:
    """Volume of a mask, mL."""
    return float(np.count_nonzero(mask) * abs(np.linalg.det(affine[:3, :3])) / 1000)
