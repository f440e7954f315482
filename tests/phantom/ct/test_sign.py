"""Acceptance: how often the dense artery sign is there at 5 mm for an observer who knows where the arteries run.

The observer's rule. Course of a side: voxels that are at least 40 % lumen of its M1 or terminal ICA, 2 mm and more from
bone. A region of interest is a square of 2 x 2 mm in a slice. A side is positive where its brightest region exceeds
43 HU and is more than 1.2 times the other side's well-filled lumen (the 90th percentile of its regions).
"""

import numpy as np
import pytest
from scipy import ndimage

from perfusynth.phantom.arteries.lumen import NCCT_EDGE_MM, lumen_at
from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.ct.image import add_noise
from perfusynth.phantom.ct.ncct import noise_free_ncct
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.grid import Grid, planes_of
from perfusynth.phantom.lattice import stream
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import Scene, scene_of

SCANNER = SCANNERS["standard_5mm"]
COURSE_SHARE, REGION_MM, BONE_HU, BONE_MM = 0.4, 2.0, 90.0, 2.0
SIGN_HU, SIGN_RATIO, WELL_FILLED = 43.0, 1.2, 90
TERMINAL_ICA_POINTS, MARGIN_MM = 12, 7.0
PATIENTS, NOISES = 36, 3
SIDES = ("left", "right")


def around_the_m1(scene: Scene) -> Grid:
    """A piece of the scanner's grid around both M1, its slices anywhere relative to them."""
    tree = tree_of(scene.patient)
    lines = [tree.segments[tree.index("M1", side)].points for side in SIDES]
    lines += [tree.segments[tree.index("ICA", side)].points[-TERMINAL_ICA_POINTS:] for side in SIDES]
    ras = scene.placement.to_head(np.concatenate(lines).T)
    step = np.array([SCANNER.pixel_mm, SCANNER.pixel_mm, SCANNER.spacing_mm])
    low, high = ras.min(axis=1) - MARGIN_MM, ras.max(axis=1) + MARGIN_MM
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = low - step * stream(scene.patient.seed, "test").uniform(0, 1, 3)
    shape = tuple(int(n) for n in np.ceil((high - low) / step) + 1)
    return Grid(shape, affine, SCANNER.slice_mm)  # type: ignore[arg-type]


def courses(scene: Scene, grid: Grid) -> dict[str, np.ndarray]:
    """Share of each voxel that is lumen of a side's M1 or ICA."""
    tree = tree_of(scene.patient)
    found = {side: np.zeros(grid.shape, dtype=np.float32) for side in SIDES}
    for planes in planes_of(scene.placement, grid):
        points = planes.points.reshape(3, -1)
        lumen = lumen_at(points, scene.patient, edge_mm=NCCT_EDGE_MM)
        for side in SIDES:
            share = np.zeros(points.shape[1], dtype=np.float32)
            own = np.isin(lumen.segment, [tree.index(name, side) for name in ("M1", "ICA")])
            share[lumen.at[own]] = lumen.share[own]
            found[side][planes.where] = planes.averaged(share)
    return found


def positive(hu: np.ndarray, away_from_bone: np.ndarray, course: dict[str, np.ndarray]) -> dict[str, bool]:
    """Whether each side shows the sign."""
    pixels = round(REGION_MM / SCANNER.pixel_mm)
    mean = ndimage.uniform_filter(hu, (pixels, pixels, 1))
    regions = {side: mean[(course[side] > COURSE_SHARE) & away_from_bone] for side in SIDES}
    result = {}
    for side, other in zip(SIDES, SIDES[::-1], strict=True):
        brightest, filled = regions[side].max(), np.percentile(regions[other], WELL_FILLED)
        result[side] = bool(brightest > SIGN_HU and brightest > SIGN_RATIO * filled)
    return result


@pytest.fixture(scope="module")
def read() -> dict[str, list[bool]]:
    """Positive readings of occluded arteries, of patients before their clot (either side), of the other side."""
    found: dict[str, list[bool]] = {"occluded": [], "patent": [], "other side": []}
    drawn = (draw_patient(seed) for seed in range(5000, 9000))
    occluded = (p for p in drawn if p.stroke.site in ("M1", "ICA"))
    for patient, _ in zip(occluded, range(PATIENTS), strict=False):
        scene = scene_of(patient)
        grid = around_the_m1(scene)
        with_clot, _ = noise_free_ncct(scene, grid, SCANNER)
        before, _ = noise_free_ncct(scene_of(patient.without_deficit()), grid, SCANNER)
        course = courses(scene, grid)
        size = 2 * round(BONE_MM / SCANNER.pixel_mm) + 1
        clear = ndimage.maximum_filter(before, (size, size, 1)) < BONE_HU
        for seed in range(NOISES):
            noisy = [hu.copy() for hu in (with_clot, before)]
            for hu in noisy:
                add_noise(hu, scene, grid, SCANNER, seed)
            ill, well = (positive(hu, clear, course) for hu in noisy)
            found["occluded"].append(ill[patient.stroke.side])
            found["other side"].append(ill["right" if patient.stroke.side == "left" else "left"])
            found["patent"].append(well["left"] or well["right"])
    return found


def test_the_sign_is_there_in_about_half_of_the_occlusions(read: dict[str, list[bool]]):
    """45-60 % +- 8 of occlusions of M1 and ICA."""
    assert 0.37 <= np.mean(read["occluded"]) <= 0.68


def test_the_sign_is_rare_without_an_occlusion(read: dict[str, list[bool]]):
    """At most 18 % of patients; noise does make some."""
    assert np.mean(read["patent"]) <= 0.18
    assert np.mean(read["other side"]) <= 0.10
