"""`register`: the rigid transform that takes a perfusion study to the plain CT of the same visit.

Coarse to fine: turns and shifts tried all over (`starts`), the likeliest refined by SimpleITK on mutual information
(`mutual_information`), the best of them on the skull (`window_fit`). How sure it is comes from what it looks like
(`quality_figures`) and from where it ends when it begins elsewhere.
"""

import time
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial.transform import Rotation

from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.registration.enough import check_image, check_region
from perfusynth.registration.error_probability import error_probability
from perfusynth.registration.fixed_image import fixed_image
from perfusynth.registration.head_images import head_region, on_grid, prepared, smoothed, window
from perfusynth.registration.mutual_information import Descent, MutualInformation, Similarity
from perfusynth.registration.quality_figures import quality_figures
from perfusynth.registration.registration_settings import InformationLevel, RegistrationSettings
from perfusynth.registration.rigid_motion import about
from perfusynth.registration.starts import likely_starts
from perfusynth.registration.window_fit import WindowFit
from perfusynth.stages import Stages
from perfusynth.volumes.case_registration import check_rigid
from perfusynth.volumes.series import Series
from perfusynth.volumes.volume import Volume

#: Share of the work by stage on 80 mm of CT perfusion and a whole head.
SHARES = {"prepare": 0.1, "search": 0.3, "refine": 0.25, "restart": 0.25, "figures": 0.1}
#: The same with a series in time, whose frames are aligned first.
SERIES_SHARES = {"motion": 0.6} | {name: 0.4 * share for name, share in SHARES.items()}

#: Digits of a transform: sums of threads differ from run to run in the 15th, and the same images shall give the same.
DIGITS = 9


@dataclass(frozen=True, eq=False)
class Registered:
    """A registration and how sure it is.

    Parameters
    ----------
    fixed_to_moving
        4x4, RAS mm: x_moving = M x_fixed.
    centre
        RAS mm (3,): middle of the fixed image's head, about which a transform file writes the turn.
    figures
        `quality_figures.FIGURES`.
    probability_over_2mm
        That the target registration error is above 2 mm; None where nothing was restarted, which it is known by.
    restarts
        Where the registration ended when it began elsewhere, 4x4 each.
    seconds
        Wall-clock time of all but the motion within a series.
    """

    fixed_to_moving: np.ndarray
    centre: np.ndarray
    figures: dict[str, float]
    probability_over_2mm: float | None
    restarts: tuple[np.ndarray, ...] = field(repr=False)
    seconds: float


def register(
    fixed: Volume | Series,
    moving: Volume,
    *,
    fixed_mask: np.ndarray | None = None,
    moving_mask: np.ndarray | None = None,
    start: np.ndarray | None = None,
    settings: RegistrationSettings | None = None,
    on_progress: OnProgress = ignore_progress,
) -> Registered:
    """Register a plain CT to a perfusion study.

    Parameters
    ----------
    fixed
        HU on an even orthogonal grid: one image of a CT perfusion study, or the whole of it (its frames are brought to
        one position, `fixed_image`).
    moving
        The plain CT, HU on an even orthogonal grid. Padding of either may be any value.
    fixed_mask, moving_mask
        bool on the images' grids: where they are compared; None: the skull, what it encloses and what lies near.
    start
        4x4, RAS mm: refine from here instead of searching.

    Raises
    ------
    InputError
        Codes ``bad_transform`` (of ``start``); ``nothing_to_register``, ``too_few_slices``, ``too_little_to_register``
        (`enough`); for a series those of `fixed_image`.
    Cancelled
        From ``on_progress``.
    """
    settings = settings or RegistrationSettings()
    stages = Stages(SERIES_SHARES if isinstance(fixed, Series) else SHARES, on_progress)
    if start is not None:
        start = check_rigid(start)
    if fixed_mask is not None:
        fixed_mask = _checked_mask(fixed_mask, fixed.shape, "fixed")
        fixed_region: Volume | None = Volume(fixed_mask, fixed.affine)
    else:
        fixed_region = None
    if isinstance(fixed, Series):
        with stages.stage("motion") as progress:
            fixed = fixed_image(fixed, settings, on_progress=progress)
    began = time.perf_counter()
    with stages.stage("prepare"):
        given = (
            None if moving_mask is None else Volume(_checked_mask(moving_mask, moving.shape, "moving"), moving.affine)
        )
        pair = _Pair.of(fixed, moving, fixed_region, given, settings)
        refinement = _Refinement(pair, settings)
    with stages.stage("search"):
        starts = (
            _search(pair, refinement.coarse, settings) if start is None else [refinement.coarse.refine(start).transform]
        )
    with stages.stage("refine") as progress:
        found = refinement.best(starts, progress)
    with stages.stage("restart") as progress:
        restarts = []
        for number, other in enumerate(_perturbed(found, pair.centre, settings)):
            progress("restart", number / settings.restarts)
            restarts.append(refinement.best([refinement.coarse.refine(other).transform]))
    with stages.stage("figures"):
        figures = quality_figures(pair.fixed, pair.moving, found, restarts=restarts)
        probability = error_probability(figures) if restarts else None
    return Registered(found, pair.centre, figures, probability, tuple(restarts), time.perf_counter() - began)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Both images without padding, axes nearest to RAS, and where their heads are (1 inside, on grids of their own)."""

    fixed: Volume
    moving: Volume
    fixed_region: Volume
    moving_region: Volume
    moving_given: bool

    @classmethod
    def of(
        cls,
        fixed: Volume,
        moving: Volume,
        fixed_region: Volume | None,
        moving_region: Volume | None,
        settings: RegistrationSettings,
    ) -> "_Pair":
        fixed, moving = prepared(fixed, settings), prepared(moving, settings)
        check_image("fixed", fixed, settings)
        check_image("moving", moving, settings)
        regions = fixed_region or head_region(fixed, settings), moving_region or head_region(moving, settings)
        check_region("fixed", regions[0])
        check_region("moving", regions[1])
        return cls(fixed, moving, *regions, moving_region is not None)

    def windowed(self, block_mm: float, smooth_mm: float, settings: RegistrationSettings) -> tuple[Volume, Volume]:
        """Both images as mutual information sees them."""
        fixed, moving = (
            smoothed(window(volume, settings.low_hu, settings.high_hu, block_mm), smooth_mm)
            for volume in (self.fixed, self.moving)
        )
        return fixed, moving

    def regions_on(self, fixed: Volume, moving: Volume) -> tuple[np.ndarray, np.ndarray | None]:
        """What is compared on two grids, bool; of the moving image everything, unless a mask was given."""
        seen = on_grid(self.moving_region, moving) if self.moving_given else None
        return on_grid(self.fixed_region, fixed), seen

    @property
    def centre(self) -> np.ndarray:
        """Middle of the fixed image's head, RAS mm (3,)."""
        index = np.argwhere(self.fixed_region.array > 0.5).mean(axis=0)
        return index @ self.fixed_region.affine[:3, :3].T + self.fixed_region.affine[:3, 3]


class _Level:
    """Both images at one level of the pyramid."""

    def __init__(self, pair: _Pair, level: InformationLevel, settings: RegistrationSettings):
        self.kept = level.kept
        fixed, moving = pair.windowed(level.block_mm, level.smooth_mm, settings)
        region, seen = pair.regions_on(fixed, moving)
        self._information = MutualInformation(fixed, moving, region, seen)
        self.similarity = Similarity(
            fixed, moving, region, seen, points=level.points, seed=settings.seed, bins=settings.bins
        )
        self._descent = Descent(
            bins=settings.bins,
            points=level.points,
            seed=settings.seed,
            first_step_mm=level.first_step_mm,
            least_step_mm=level.least_step_mm,
            iterations=settings.iterations,
            turn_radius_mm=settings.turn_radius_mm,
            threads=settings.threads,
        )

    def best(self, starts: list[np.ndarray]) -> list[np.ndarray]:
        """What the starts become here, the most alike first."""
        refined = [self._information.refine(start, self._descent) for start in starts]
        return sorted(refined, key=self.similarity, reverse=True)[: self.kept]


class _Refinement:
    """Everything by which starts are refined, prepared once."""

    def __init__(self, pair: _Pair, settings: RegistrationSettings):
        self._settings = settings
        self.coarse = WindowFit(pair.fixed, pair.moving, pair.fixed_region, settings.coarse)
        self._levels = [_Level(pair, level, settings) for level in settings.levels]
        self._bone = WindowFit(pair.fixed, pair.moving, pair.fixed_region, settings.bone)

    def best(self, starts: list[np.ndarray], on_progress: OnProgress = ignore_progress) -> np.ndarray:
        """Level by level the most alike; at last the skull has its say."""
        for number, level in enumerate(self._levels):
            on_progress("refine", number / len(self._levels))
            starts = level.best(starts)
        similarity, found = self._levels[-1].similarity, starts[0]
        fit = self._bone.refine(found).transform
        worse = similarity(fit) < (1 - self._settings.bone_loss) * similarity(found)
        return np.round(check_rigid(found if worse else fit), DIGITS)


def _search(pair: _Pair, coarse: WindowFit, settings: RegistrationSettings) -> list[np.ndarray]:
    search = settings.search
    fixed, moving = pair.windowed(search.block_mm, search.block_mm, settings)
    region, seen = pair.regions_on(fixed, moving)
    similarity = Similarity(fixed, moving, region, seen, points=search.points, seed=settings.seed, bins=search.bins)
    return likely_starts(similarity, pair.moving_region, coarse, search, settings.starts)


def _perturbed(found: np.ndarray, centre: np.ndarray, settings: RegistrationSettings) -> list[np.ndarray]:
    """Starts near ``found``, turned and shifted by the same amounts in directions that are drawn by the seed."""
    rng = np.random.default_rng(settings.seed)
    starts = []
    for _ in range(settings.restarts):
        axis, direction = (vector / np.linalg.norm(vector) for vector in rng.standard_normal((2, 3)))
        turn = Rotation.from_rotvec(settings.restart_deg * axis, degrees=True).as_matrix()
        starts.append(found @ about(turn, centre, settings.restart_mm * direction))
    return starts


def _checked_mask(mask: np.ndarray, shape: tuple[int, int, int], name: str) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.shape != shape:
        raise ValueError(f"expected a mask of shape {shape} for the {name} image, got {mask.shape}")
    return mask.astype(bool)
