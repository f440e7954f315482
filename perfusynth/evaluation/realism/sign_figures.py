"""The hyperdense artery sign, as a reader measures it on 5 mm slices, who knows where the arteries run."""

import numpy as np
from scipy import ndimage

from perfusynth.evaluation.realism.ncct_figures import SCANNER, Figures
from perfusynth.evaluation.realism.views import arteries_grid
from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.ct.image import add_noise
from perfusynth.phantom.ct.ncct import noise_free_ncct
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.scene import Scene, scene_of

#: The sign: denser than this, HU, and than the other side by this factor (the acceptance table's own definition).
SIGN_HU, SIGN_RATIO = 43.0, 1.2
#: Bone and calcified wall, HU, and how far from them a reader stays, mm.
BONE_HU, BONE_DISTANCE_MM = 100.0, 3.0
#: What is read: the end of the ICA, mm, and all of M1.
ICA_END_MM = 5.0
#: Region of interest: in-plane Gaussian, mm (an area of 4 pi sigma^2 = 10 mm2), and its length along the artery, mm.
READING_SIGMA_MM, READING_LENGTH_MM = 0.9, 6.0


def _course(scene: Scene, side: str) -> np.ndarray:
    """RAS mm of the end of the ICA and of M1, a point each MNI mm, ``(3, n)``."""
    tree = tree_of(scene.patient)
    ica, m1 = (tree.segments[tree.index(name, side)] for name in ("ICA", "M1"))
    end = ica.along_mm > ica.along_mm[-1] - ICA_END_MM
    return scene.placement.to_head(np.concatenate([ica.points[end], m1.points]).T)


def _readings(image: np.ndarray, grid: Grid, course: np.ndarray) -> np.ndarray:
    """HU along a course: regions of `READING_LENGTH_MM`, one for each point away from bone, on the nearest slice."""
    reach = np.ceil(BONE_DISTANCE_MM / grid.spacing[:2]).astype(int)
    nearby = ndimage.maximum_filter(image, (*(2 * reach + 1), 1))
    sigma = READING_SIGMA_MM / grid.spacing[:2]
    smooth = ndimage.gaussian_filter(image, (*sigma, 0))
    index = np.linalg.solve(grid.affine[:3, :3], course - grid.affine[:3, 3:4])
    index[2] = np.rint(index[2])
    values = ndimage.map_coordinates(smooth, index, order=1, mode="nearest")
    values = values[ndimage.map_coordinates(nearby, index, order=0, mode="nearest") < BONE_HU]
    if not len(values):  # bone or calcium all along: nothing to be read
        return np.zeros(1)
    return ndimage.uniform_filter1d(values, round(READING_LENGTH_MM), mode="nearest")


def _sign(image: np.ndarray, grid: Grid, courses: dict[str, np.ndarray]) -> dict[str, tuple[bool, float]]:
    """By side: whether the sign is there, and the densest reading, HU."""
    readings = {side: _readings(image, grid, course) for side, course in courses.items()}
    found = {}
    for side, other in (("left", "right"), ("right", "left")):
        densest = float(readings[side].max())
        found[side] = (densest > SIGN_HU and densest > SIGN_RATIO * float(np.median(readings[other])), densest)
    return found


def artery_figures(scene: Scene) -> Figures:
    """Noise on the scanner's own pixels around the arteries, and the sign in the patient and in his patent twin."""
    grid = arteries_grid(scene.placement, SCANNER.pixel_mm, SCANNER.slice_mm, SCANNER.spacing_mm)
    stroke = scene.patient.stroke
    ill, brain = noise_free_ncct(scene, grid, SCANNER)
    noise = np.zeros_like(ill)
    add_noise(noise, scene, grid, SCANNER, scene.patient.seed)
    courses = {side: _course(scene, side) for side in ("left", "right")}
    healthy = scene if stroke.site == "none" else scene_of(scene.patient.without_deficit())
    twin = ill if stroke.site == "none" else noise_free_ncct(healthy, grid, SCANNER)[0]
    patent = _sign(twin + noise, grid, courses)
    found: Figures = {
        **_noise_figures(noise, brain),
        "sign_twin": patent["left"][0] or patent["right"][0],
        "patent_artery_hu": max(patent["left"][1], patent["right"][1]),
    }
    if stroke.site in ("ICA", "M1"):
        found["sign"], found["clot_hu"] = _sign(ill + noise, grid, courses)[stroke.side]
    return found


def _noise_figures(noise: np.ndarray, brain: np.ndarray) -> Figures:
    """SD and in-plane autocorrelation inside the head, the slices' means taken out."""
    slices = brain.any(axis=(0, 1))
    inside = np.where(brain, noise, np.nan)[:, :, slices]
    inside -= np.nanmean(inside, axis=(0, 1), keepdims=True)
    variance = np.nanmean(inside**2)

    def lag(by: int) -> float:
        along = [np.nanmean(inside[by:] * inside[:-by]), np.nanmean(inside[:, by:] * inside[:, :-by])]
        return float(np.mean(along) / variance)

    return {"noise_sd_hu": float(np.sqrt(variance)), "noise_lag_1": lag(1), "noise_lag_2": lag(2)}
