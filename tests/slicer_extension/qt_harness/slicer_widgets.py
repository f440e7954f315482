"""Stand-ins of the few CTK and MRML widgets that the ``.ui`` file names: same names, properties and signals."""

import slicer
from PySide6 import QtCore, QtWidgets

from qt_harness.python_qt import connect


def make(qt) -> dict[str, type]:
    """The classes by name; `qt` is the stand-in module, whose widgets connect by signature."""

    class qMRMLWidget(qt.QWidget):
        """Passes its scene on, as the connections in the ``.ui`` file say."""

        def setMRMLScene(self, scene):
            for selector in self.findChildren(QtWidgets.QComboBox):
                if hasattr(selector, "setMRMLScene"):
                    selector.setMRMLScene(scene)

    class ctkCollapsibleButton(qt.QGroupBox):
        """A box with a title that folds its contents away."""

        contentsCollapsed = QtCore.Signal(bool)

        def __init__(self, parent=None):
            super().__init__(parent)
            self._collapsed = False

        text = QtCore.Property(str, lambda self: self.title, lambda self, value: self.setTitle(value))

        def _collapse(self, collapsed):
            self._collapsed = collapsed
            for child in self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindDirectChildrenOnly):
                child.setVisible(not collapsed)
            self.contentsCollapsed.emit(collapsed)

        collapsed = QtCore.Property(bool, lambda self: self._collapsed, _collapse)

    class ctkSliderWidget(qt.QWidget):
        """A slider with a spin box."""

        valueChanged = QtCore.Signal(float)

        def __init__(self, parent=None):
            super().__init__(parent)
            row = QtWidgets.QHBoxLayout(self)
            row.setContentsMargins(0, 0, 0, 0)
            self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal, self)
            self._box = QtWidgets.QDoubleSpinBox(self)
            row.addWidget(self._slider, 1)
            row.addWidget(self._box)
            self._step = 1.0
            self._slider.valueChanged.connect(lambda steps: self._box.setValue(steps * self._step))
            self._box.valueChanged.connect(self._moved)

        def _moved(self, value):
            self._slider.blockSignals(True)
            self._slider.setValue(round(value / self._step))
            self._slider.blockSignals(False)
            self.valueChanged.emit(value)

        def _range(self):
            self._slider.setRange(round(self._box.minimum / self._step), round(self._box.maximum / self._step))

        def _set_minimum(self, value):
            self._box.setMinimum(value)
            self._range()

        def _set_maximum(self, value):
            self._box.setMaximum(value)
            self._range()

        def _set_step(self, value):
            self._step = value
            self._box.setSingleStep(value)
            self._range()

        def setValue(self, value):
            self._box.setValue(value)

        value = QtCore.Property(float, lambda self: self._box.value, setValue)
        minimum = QtCore.Property(float, lambda self: self._box.minimum, _set_minimum)
        maximum = QtCore.Property(float, lambda self: self._box.maximum, _set_maximum)
        singleStep = QtCore.Property(float, lambda self: self._step, _set_step)
        decimals = QtCore.Property(int, lambda self: self._box.decimals, lambda self, n: self._box.setDecimals(n))
        suffix = QtCore.Property(str, lambda self: self._box.suffix, lambda self, text: self._box.setSuffix(text))

    class ctkPathLineEdit(qt.QWidget):
        """A line for a path, with a button that would open a file dialogue."""

        currentPathChanged = QtCore.Signal(str)

        def __init__(self, parent=None):
            super().__init__(parent)
            row = QtWidgets.QHBoxLayout(self)
            row.setContentsMargins(0, 0, 0, 0)
            self._line, browse = QtWidgets.QLineEdit(self), QtWidgets.QToolButton(self)
            browse.setText("…")
            row.addWidget(self._line, 1)
            row.addWidget(browse)
            self._line.textChanged.connect(self.currentPathChanged)

        currentPath = QtCore.Property(str, lambda self: self._line.text, lambda self, path: self._line.setText(path))

    class qMRMLNodeComboBox(qt.QComboBox):
        """Lists a scene's nodes of some classes."""

        currentNodeChanged = QtCore.Signal(object)

        def __init__(self, parent=None):
            super().__init__(parent)
            self._scene, self._ids, self._tags = None, [""], []
            self.currentIndexChanged.connect(lambda index: self.currentNodeChanged.emit(self.currentNode()))

        def setMRMLScene(self, scene):
            for tag in self._tags:
                self._scene.RemoveObserver(tag)
            self._scene, self._tags = scene, []
            if scene is not None:
                kind = slicer.vtkMRMLScene
                events = (kind.NodeAddedEvent, kind.NodeRemovedEvent, kind.EndImportEvent, kind.EndCloseEvent)
                self._tags = [scene.AddObserver(event, lambda *_: self._fill()) for event in events]
                self._fill()

        def _fill(self):
            chosen = self.currentNodeID
            nodes = []
            for kind in self.property("nodeTypes") or []:
                found = slicer.util.getNodesByClass(kind, self._scene)
                nodes += [node for node in found if node.GetClassName() == kind and not node.GetHideFromEditors()]
            self.blockSignals(True)
            self.clear()
            self._ids = ["", *(node.GetID() for node in nodes)]
            self.addItems(["None", *(node.GetName() or node.GetID() for node in nodes)])
            self.setCurrentIndex(self._ids.index(chosen) if chosen in self._ids else min(1, len(nodes)))
            self.blockSignals(False)
            if self.currentNodeID != chosen:
                self.currentNodeChanged.emit(self.currentNode())

        @property
        def currentNodeID(self):
            return self._ids[self.currentIndex] if 0 <= self.currentIndex < len(self._ids) else ""

        def currentNode(self):
            return self._scene.GetNodeByID(self.currentNodeID) if self._scene and self.currentNodeID else None

        def setCurrentNode(self, node):
            self.setCurrentIndex(self._ids.index(node.GetID()) if node is not None else 0)

    kinds = (qMRMLWidget, ctkCollapsibleButton, ctkSliderWidget, ctkPathLineEdit, qMRMLNodeComboBox)
    for kind in kinds:
        kind.connect = connect  # what a class inherits from Qt itself is found before what its Python parent adds
    return {kind.__name__: kind for kind in kinds}
