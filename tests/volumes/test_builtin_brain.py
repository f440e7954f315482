"""The built-in brain: where it must be found, what must stay outside, and what it refuses."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from perfusynth.errors import InputError
from perfusynth.phantom.ct.grids import native_grid
from perfusynth.phantom.ct.ncct import render_ncct
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.ctp.frames import render_series
from perfusynth.phantom.ctp.protocols import PROTOCOLS
from perfusynth.phantom.head.pose import template_coordinates
from perfusynth.phantom.lattice import HEAD, sample
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.volumes.acquisition import Acquisition
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.head_check import check_head
from perfusynth.volumes.volume import Volume


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.mark.parametrize(
    "scan",
    [
        {},
        {"noise": 8.0},
        {"spacing": (0.45, 0.45, 5.0), "shape": (420, 470, 36)},
        {"spacing": (0.9, 0.9, 0.7), "shape": (200, 240, 250), "noise": 8.0},
        {"spacing": (1.0, 1.0, 7.0), "shape": (190, 220, 26), "noise": 6.0},
        {"padding": -3024.0},
        {"rotation": Rotation.from_euler("xyz", (15, 12, -18), degrees=True).as_matrix()},
        {"rotation": Rotation.from_euler("xyz", (-15, -12, 18), degrees=True).as_matrix(), "shift": (6, -8, 5)},
    ],
    ids=["plain", "noise", "0.45x5", "thin and noisy", "7 mm", "padding", "oblique", "oblique and moved"],
)
def test_analytic_heads(head, scan):
    truth = head(**scan)
    found = BuiltinBrain().extract(truth.ncct)
    assert found.mask.dtype == bool
    assert found.mask.shape == truth.ncct.shape
    assert dice(found.mask, truth.brain) >= 0.96


@pytest.mark.parametrize("flip", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_axis_order_does_not_matter(head, flip, order):
    truth = head()
    affine = truth.ncct.affine[:, [*order, 3]].copy()
    steps = tuple(slice(None, None, f) for f in flip)
    moved = np.transpose(truth.ncct.array, order)[steps]
    for axis, f in enumerate(flip):
        if f < 0:
            affine[:3, 3] += affine[:3, axis] * (moved.shape[axis] - 1)
            affine[:3, axis] *= -1
    found = BuiltinBrain().extract(Volume(moved, affine))
    assert dice(found.mask, np.transpose(truth.brain, order)[steps]) >= 0.96


def test_scan_cut_at_vertex_and_base(head):
    truth = head()
    brain_slices = np.flatnonzero(truth.brain.any(axis=(0, 1)))
    kept = slice(brain_slices[0] + 6, brain_slices[-1] - 4)
    affine = truth.ncct.affine.copy()
    affine[:3, 3] += affine[:3, 2] * kept.start
    found = BuiltinBrain().extract(Volume(truth.ncct.array[:, :, kept], affine))
    assert dice(found.mask, truth.brain[:, :, kept]) >= 0.96


def test_a_circular_field_of_view_with_padding(head):
    truth = head()
    x, y = (np.arange(n) - n / 2 for n in truth.ncct.shape[:2])
    hu = truth.ncct.array.copy()
    hu[np.hypot(x[:, None], y[None, :]) > 74] = -3024
    assert dice(BuiltinBrain().extract(truth.ncct.with_array(hu)).mask, truth.brain) >= 0.96


def test_thick_slices_of_a_perfusion_study():
    # Two slices of 10 mm above a brain lies what is beyond the skull: that is no leak.
    scene = scene_of(draw_patient(931))
    study = render_series(scene, replace(PROTOCOLS["standard_80mm"], duration_s=3.0, motion="off"), noise_seed=1)
    mean = Volume(study.hu.mean(axis=3), study.affine)
    ranges = tuple(np.arange(n, dtype=float) for n in mean.shape)
    points = template_coordinates(scene.placement, study.affine, ranges).reshape(3, -1)
    truth = sample(scene.skull.beyond, HEAD, points, outside=120.0).reshape(mean.shape) < 0
    assert dice(BuiltinBrain().extract(mean).mask, truth) >= 0.96


def test_infarct_blood_and_calcification_stay_inside(head):
    truth = head()
    x, y, z = truth.own
    hu = truth.ncct.array.copy()
    infarct = truth.brain & (x > 20) & (np.abs(y) < 40) & (np.abs(z) < 30)
    blood = (x + 30) ** 2 + y**2 + (z - 5) ** 2 < 20**2
    stone = (x + 5) ** 2 + (y + 25) ** 2 + z**2 < 4**2
    hu[infarct], hu[blood], hu[stone] = 20, 78, 500
    found = BuiltinBrain().extract(truth.ncct.with_array(hu)).mask
    assert dice(found, truth.brain) >= 0.96
    assert all(found[part].mean() > 0.97 for part in (infarct, blood, stone))


@pytest.mark.parametrize("turn", [0, 20])
def test_bone_that_rises_from_the_base_stays_outside(head, turn):
    truth = head(rotation=Rotation.from_euler("x", turn, degrees=True).as_matrix())
    x, y, z = truth.own
    hu = truth.ncct.array.copy()
    clivus = truth.brain & (x**2 + (y - 10) ** 2 < 9**2) & (z < -25)
    stone = (x - 25) ** 2 + y**2 + z**2 < 4**2
    hu[clivus | stone] = 800
    found = BuiltinBrain().extract(truth.ncct.with_array(hu)).mask
    assert found[clivus].mean() < 0.01
    assert found[stone].mean() > 0.97
    assert dice(found, truth.brain & ~clivus) >= 0.96


def test_orbits_neck_and_scalp_stay_outside(head):
    truth = head()
    _, y, z = truth.own
    found = BuiltinBrain().extract(truth.ncct).mask
    assert found[(z < -62)].mean() < 1e-3
    assert not found[y > 86].any()


def test_the_real_scan(ge_ct):
    found = BuiltinBrain().extract(ge_ct)
    ml = np.count_nonzero(found.mask) * ge_ct.voxel_ml
    assert 1350 < ml < 1550
    inside = ge_ct.array[found.mask]
    assert np.mean((inside > -30) & (inside < 130)) > 0.995
    # Globes (k = 9 to 12, at the front) and the neck (k < 5) are out, the cerebellum (k = 11) is in.
    assert found.mask[:, :, :5].sum() * ge_ct.voxel_ml < 5
    front = np.flatnonzero(found.mask[:, :, 11].any(axis=0))
    assert found.mask[:, :, 11].sum() * ge_ct.voxel_ml / ge_ct.spacing[2] * 10 > 60
    assert front.max() < 215
    labels_per_slice = [found.mask[:, :, k].any() for k in range(9, 52)]
    assert all(labels_per_slice)


def test_the_template_against_its_priors(template_ct, public_data):
    folder = public_data / "scct_template_priors"
    priors = sum(nib.load(folder / f"{name}.nii.gz").get_fdata() for name in ("scgrey", "scwhite", "sccsf"))
    assert dice(BuiltinBrain().extract(template_ct).mask, priors > 0.5) >= 0.96


@pytest.mark.parametrize(("seed", "scanner"), [(1, "standard_5mm"), (3, "external_2_5mm"), (2000007, "standard_5mm")])
def test_digital_phantoms(seed, scanner):
    patient = draw_patient(seed)
    grid = native_grid(patient, SCANNERS[scanner])
    hu, brain = render_ncct(scene_of(patient), grid, SCANNERS[scanner], seed)
    ncct = Volume(hu, grid.affine)
    found = BuiltinBrain().extract(ncct)
    assert dice(found.mask, brain) >= 0.95
    bone_ml = np.count_nonzero(hu[found.mask] > 200) * ncct.voxel_ml
    assert bone_ml < 0.2  # of its sella 2 mL and more lie among brain
    assert check_head(ncct, Acquisition(modality="CT"), found) == []


def test_no_brain_is_refused_with_the_reason(head):
    truth = head()
    for hu in (
        np.where(truth.brain, -1000, truth.ncct.array),  # an empty skull
        np.full(truth.ncct.shape, -1000.0),
        np.clip(truth.ncct.array, -1000, 90),  # no bone
    ):
        with pytest.raises(InputError) as raised:
            BuiltinBrain().extract(truth.ncct.with_array(hu))
        assert raised.value.code == "no_brain"
        assert "mL" in raised.value.expected
