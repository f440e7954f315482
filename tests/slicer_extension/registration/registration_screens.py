"""What an annotator sees of a phantom: panel and views, as one picture.

    python tests/slicer_extension/registration/registration_screens.py --out docs/pictures

The panel is the module's own under the Qt stand-ins, the views are Slicer's own rendering, the server is the real one.
"""

import argparse
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [
    str(HERE),
    str(HERE.parent),
    str(HERE.parents[1] / "server"),
    str(ROOT / "slicer_extension" / "PerfuSynth"),
    str(ROOT / "slicer_extension" / "PerfuSynthRegistration"),
]

# ruff: noqa: E402 - the folders above must be known first
import numpy as np
import servers
import slicer_screens
from annotator import Annotator
from case_folders import rigid, write_folder
from PySide6 import QtGui
from qt_harness import python_qt

from perfusynth.evaluation.registration_error.pairs import simulated_pair

#: Widths, pixels: of the panel, and of a view before it is known how high the panel is.
PANEL_PX, VIEW_PX = 520, 378
#: Seed of the pair (digital patients alone), how far off its registration is, and how probably it is said to be wrong.
CASES = ((1001, rigid((-7, 4, 2), -5), 0.97), (1002, rigid((2, 1, 0), 1), 0.41), (1003, rigid(), 0.02))
#: A loaded machine may take this long for the server's start, s.
PATIENCE_S = 1800.0


def main() -> None:
    """Make the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    servers.START_S = PATIENCE_S
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for number, (seed, off, probability) in enumerate(CASES, 1):
            pair = simulated_pair(seed)
            said = pair.fixed_to_moving @ off
            write_folder(base / "studies" / f"phantom-{number}", pair.fixed, pair.moving, said, probability)
        with servers.running(base) as server:
            take(server, base, arguments.out)


def take(server: servers.Server, folder: Path, out: Path) -> None:
    """Correct a case half way and take its picture."""
    annotator = Annotator(folder / "slicer", (VIEW_PX, VIEW_PX))
    annotator.connect_to(server.url)
    annotator.next_case()
    annotator.program.wait(lambda: annotator.session.cases.is_ready, PATIENCE_S)
    annotator.ui.outlineBox.setChecked(True)
    annotator.ui.handlesBox.setChecked(True)
    annotator.ui.fadeSlider.value = 0
    slicer_screens.save(screen(annotator), out / "registration_slicer_wrong.png")
    annotator.press("Shift+Right", 2)
    annotator.program.click(annotator.ui.automaticButton)
    annotator.program.wait(lambda: not annotator.session.automatic.running, PATIENCE_S)
    annotator.ui.correctedRadio.click()
    python_qt.process_events(0.5)
    slicer_screens.save(screen(annotator), out / "registration_slicer.png")
    annotator.close()


def screen(annotator: Annotator) -> QtGui.QImage:
    """The panel; beside it the axial view, as high as the panel, and the two others one above the other."""
    slicer_screens.PANEL_PX, slicer_screens.VIEW_PX = PANEL_PX, VIEW_PX
    panel = slicer_screens.panel(annotator)
    line, grey = slicer_screens.FRAME, slicer_screens.FRAME_GREY
    small = (panel.height() - line) // 2
    large = 2 * small + line
    shown = list(annotator.program.desktop.views().values())
    for view, size in zip(shown, (large, small, small), strict=True):
        view.resize((size, size))
    python_qt.process_events(0.3)
    axial, coronal, sagittal = (view.pixels() for view in shown)
    side = np.vstack([coronal, np.full((line, small, 3), grey, np.uint8), sagittal])
    whole = np.ascontiguousarray(np.hstack([axial, np.full((large, line, 3), grey, np.uint8), side]))
    height, width, _ = whole.shape
    views = QtGui.QImage(whole.data, width, height, 3 * width, QtGui.QImage.Format.Format_RGB888).copy()
    return slicer_screens.beside(panel, views)


if __name__ == "__main__":
    main()
