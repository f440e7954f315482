"""``make slicer-screens``: the screens that a radiologist sees, from Connect to the edited region, as pictures.

The panel is the module's own under the Qt stand-ins, the views are Slicer's own rendering, the server and its model are
the shipped ones. Only the phantom's pictures belong into the repository.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "slicer_extension" / "PerfuSynth"), str(HERE.parent / "server")]

# ruff: noqa: E402 - the folders above must be known first
import numpy as np
import servers
import slicer
from panel import Person
from PySide6 import QtCore, QtGui
from qt_harness import python_qt

PHANTOM = HERE.parents[1] / "sample-data" / "phantom-4000020"
VIEW_PX, PANEL_PX = 520, 470
#: Width in pixels and grey value of the line between views.
FRAME, FRAME_GREY = 3, 96
START = "from pathlib import Path; from perfusynth.server.start import start; start(Path('{studies}'), port={port})"
#: A loaded machine may take this long for the server's start and for the model's synthesis, s.
PATIENCE_S = 1800.0


def main() -> None:
    """Make all screens of one CT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ct", type=Path, default=PHANTOM / "ncct.nii.gz", help="NIfTI file of a head CT")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    servers.START_S = PATIENCE_S
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "studies").mkdir()
        if arguments.ct.parent == PHANTOM:
            shutil.copytree(PHANTOM, base / "studies" / "phantom", ignore=shutil.ignore_patterns("truth"))
        with servers.running(base, ["-c", START]) as server:
            take(arguments.ct, server.url, base, arguments.out)


def take(ct: Path, address: str, folder: Path, out: Path) -> None:
    """Click through the panel and take a picture of every step."""
    person = Person(folder / "slicer", (VIEW_PX, VIEW_PX))
    person.connect_to("http://127.0.0.1:9", expect="No server")
    save(panel(person), out / "slicer_connect.png")
    person.connect_to(address)
    node = load(ct)
    person.ui.volumeSelector.setCurrentNode(node)
    person.synthesize()
    person.program.wait(lambda: "synthesising" in person.ui.stageLabel.text, PATIENCE_S)
    save(panel(person), out / "slicer_synthesize.png")
    person.wait_for_maps(PATIENCE_S)
    point_at_region(person)
    save(screen(person, columns=2), out / "slicer_four_views.png")
    person.program.click(person.ui.threshold4Button)
    person.ui.fillSlider.value = 35
    person.program.wait(lambda: person.session.reader.settled)
    save(screen(person, columns=2), out / "slicer_threshold.png")
    person.ui.fillSlider.value = 0
    person.program.click(person.ui.threshold6Button)
    person.program.click(person.ui.mosaicRadio)
    person.program.wait(lambda: person.session.reader.settled)
    save(screen(person, columns=4), out / "slicer_mosaic.png")
    person.close()


def load(ct: Path):
    """A CT as a volume of the scene."""
    from PerfuSynthLib.nifti_file import read_nifti
    from PerfuSynthLib.node_geometry import set_volume

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Head CT")
    set_volume(node, read_nifti(ct))
    node.CreateDefaultDisplayNodes()
    return node


def point_at_region(person: Person) -> None:
    """Put the cursor into the middle of the region, if there is one."""
    reader = person.session.reader
    if reader.region is None or not reader.region.any():
        return
    affine = reader.reading.tmax.affine
    ras = affine[:3, :3] @ np.argwhere(reader.region).mean(axis=0) + affine[:3, 3]
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode").SetCursorPositionRAS(ras)


def panel(person: Person) -> QtGui.QImage:
    """The module's panel."""
    window, whole = person.program.main_window, person.program.widget.panel
    window.resize(PANEL_PX, 2 * VIEW_PX)
    window.show()
    python_qt.process_events(0.2)
    outside = window.height - whole.height
    needed = whole.layout().totalHeightForWidth(whole.width) + outside
    window.resize(PANEL_PX, max(needed, 2 * VIEW_PX))
    python_qt.process_events(0.2)
    return window.grab().toImage()


def screen(person: Person, columns: int) -> QtGui.QImage:
    """The panel with the views beside it, as high as it is."""
    left = panel(person)
    rows = -(-len(person.program.desktop.views()) // columns)
    return beside(left, views(person, columns, left.height() // rows))


def views(person: Person, columns: int, size: int) -> QtGui.QImage:
    """The layout's slice views in rows of ``columns``, each ``size`` pixels wide and high."""
    shown = list(person.program.desktop.views().values())
    for view in shown:
        view.resize((size, size))
    person.session.reader.reading.present()
    # The desktop program frames its views; without, one view's L stands beside the next one's R.
    tiles = [np.pad(view.pixels(), ((0, FRAME), (0, FRAME), (0, 0)), constant_values=FRAME_GREY) for view in shown]
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    whole = np.ascontiguousarray(np.vstack(rows))
    height, width, _ = whole.shape
    return QtGui.QImage(whole.data, width, height, 3 * width, QtGui.QImage.Format.Format_RGB888).copy()


def beside(left: QtGui.QImage, right: QtGui.QImage) -> QtGui.QImage:
    """Two pictures beside each other, their tops on one line."""
    whole = QtGui.QImage(left.width() + right.width(), max(left.height(), right.height()), QtGui.QImage.Format_RGB888)
    whole.fill(QtGui.QColor("black"))
    painter = QtGui.QPainter(whole)
    painter.drawImage(QtCore.QPoint(0, 0), left)
    painter.drawImage(QtCore.QPoint(left.width(), 0), right)
    painter.end()
    return whole


def save(picture: QtGui.QImage, path: Path) -> None:
    """Write a picture as PNG."""
    if not picture.save(str(path)):
        raise OSError(f"{path} cannot be written")
    print(path)


if __name__ == "__main__":
    main()
