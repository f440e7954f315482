"""Self-test for the desktop program: the panel opens, and a made-up result is read and measured, without a server."""

# ruff: noqa: PT009 - the desktop program runs unittest

from __future__ import annotations

import unittest

import numpy as np
import slicer

#: Edge of the made-up head, voxels, and of a voxel, mm.
_EDGE, _VOXEL_MM = 40, 4.0
_DOCUMENT = {
    "schema_version": "1.2",
    "created": "2026-01-01T00:00:00+00:00",
    "origin": "synthetic",
    "notices": ["SYNTHETIC - research use only"],
    "validated_on": "digital phantoms",
    "model": {"task": "ncct_perfusion", "name": "made up", "version": "0", "weights_sha256": "0" * 64, "family": ""},
    "software": {"name": "perfusynth", "version": "0"},
    "input": {
        "sha256": "0" * 64,
        "kind": "nifti",
        "shape": [_EDGE] * 3,
        "spacing_mm": [_VOXEL_MM] * 3,
        "resampled": False,
        "is_phantom": False,
    },
    "midplane": {"point": [0.0, 0.0, 0.0], "normal": [1.0, 0.0, 0.0]},
    "volumes_ml": {"4": 65.5, "6": 65.5, "8": 0.0, "10": 0.0},
    "brain_ml": 2097.2,
}  # fmt: skip


class PerfuSynthModuleTest(unittest.TestCase):
    """Runs on an empty scene."""

    def setUp(self):
        slicer.mrmlScene.Clear(0)
        self.widget = slicer.util.getModuleWidget("PerfuSynth")

    def test_the_panel_asks_for_a_server_first(self):
        self.assertFalse(self.widget.ui.applyButton.enabled)
        self.assertIn("SYNTHETIC", self.widget.ui.bannerLabel.text)

    def test_a_result_is_shown_and_measured(self):
        from PerfuSynthLib.grid_volume import GridVolume
        from PerfuSynthLib.node_geometry import set_volume
        from PerfuSynthLib.result_package import SynthesisResult

        affine = np.diag([_VOXEL_MM, _VOXEL_MM, _VOXEL_MM, 1.0])
        affine[:3, 3] = -_VOXEL_MM * (_EDGE - 1) / 2
        brain = np.zeros((_EDGE,) * 3, np.uint8)
        brain[4:-4, 4:-4, 4:-4] = 1
        tmax = np.where(brain > 0, 2, 0).astype(np.float32)
        tmax[8:16, 10:22, 12:24] = 7  # low index: the patient's left
        cbf = np.where(brain > 0, 50, 0).astype(np.float32)
        maps = {"tmax": GridVolume(tmax, affine), "cbf": GridVolume(cbf, affine)}
        ncct = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "made up")
        set_volume(ncct, GridVolume(np.where(brain > 0, 30, -1000).astype(np.int16), affine))
        reader = self.widget.logic.session.reader
        reader.show(ncct, SynthesisResult(maps, GridVolume(brain, affine), None, _DOCUMENT))
        self.widget.sections.refresh()
        reader.set_threshold(6.0)
        self.assertTrue(reader.provisional)
        self.assertAlmostEqual(reader.measured.region_ml, 8 * 12 * 12 * _VOXEL_MM**3 / 1000, places=3)
        self.assertEqual(reader.measured.laterality.side, "left")
        self.assertIn("Tmax > 6 s", [row.label for row in reader.words.rows])
        self.assertIn("Trained on simulated patients", self.widget.ui.bannerLabel.text)
        reader.let_go()


if __name__ == "__main__":
    unittest.main()
