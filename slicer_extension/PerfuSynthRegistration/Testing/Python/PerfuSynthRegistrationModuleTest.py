"""Self-test for the desktop program: the panel opens, and a made-up pair is moved and told, without a server."""

# ruff: noqa: PT009 - the desktop program runs unittest

from __future__ import annotations

import unittest

import numpy as np
import slicer

#: Edge of the made-up head, voxels, and of a voxel, mm.
_EDGE, _VOXEL_MM = 40, 4.0


class PerfuSynthRegistrationModuleTest(unittest.TestCase):
    """Runs on an empty scene."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.widget = slicer.util.getModuleWidget("PerfuSynthRegistration")

    def test_the_panel_asks_for_a_server_first(self):
        self.assertFalse(self.widget.ui.nextButton.enabled)
        self.assertIn("Connect", self.widget.ui.casesLabel.text)

    def test_a_pair_is_shown_and_moved(self):
        from PerfuSynthLib.grid_volume import GridVolume
        from PerfuSynthRegistrationLib.registration_scene import RegistrationScene

        affine = np.diag([_VOXEL_MM, _VOXEL_MM, _VOXEL_MM, 1.0])
        affine[:3, 3] = -_VOXEL_MM * (_EDGE - 1) / 2
        head = np.full((_EDGE,) * 3, -1000, np.int16)
        head[6:-6, 4:-4, 6:-6] = 900
        head[8:-8, 6:-6, 8:-8] = 35
        image = GridVolume(head, affine)
        shown = RegistrationScene.show(slicer.mrmlScene, image, image, np.eye(4))
        before = shown.nmi()
        shown.step("Right", large=True)
        self.assertAlmostEqual(shown.change.shift_mm[0], -2.5, places=3)
        self.assertLess(shown.nmi(), before)
        shown.undo()
        self.assertFalse(shown.corrected)
        shown.remove()


if __name__ == "__main__":
    unittest.main()
