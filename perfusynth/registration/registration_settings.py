"""`RegistrationSettings`: what NCCT and perfusion study are compared on, and how far the search goes."""

from dataclasses import dataclass, field
from typing import Literal

from perfusynth.registration.motion_settings import MotionSettings

FixedFrames = Literal["mean", "baseline"]


@dataclass(frozen=True)
class Level:
    """One level of the pyramid: from what the optimiser sees to how far it steps.

    Parameters
    ----------
    block_mm
        Voxels are averaged to blocks of about this size (never across slices that are thicker).
    smooth_mm
        SD of the Gaussian after that.
    points
        Voxels that are compared, at most.
    first_step_mm, least_step_mm
        Length of the optimiser's first step, and the one at which it stops.
    """

    block_mm: float
    smooth_mm: float
    points: int
    first_step_mm: float
    least_step_mm: float


@dataclass(frozen=True)
class RegistrationSettings:
    """Every number is the project's own choice, made on simulated pairs (docs/registration.md).

    Parameters
    ----------
    fixed_frames
        What of a series is registered: its mean over time, or the mean of the frames before the contrast.
    motion
        How its frames are brought to one position first; None: they already are.
    low_hu, high_hu
        HU are cut below and above these: padding and air are one value, teeth and metal no more than dense bone.
    bone_hu, dense_hu
        For the last refinement HU are cut here: all that enhances is one flat value.
    component_share
        Pieces of bone below this share of the largest one's volume are left out: headrest, tubes, electrodes.
    around_mm
        Voxels up to this far from the skull, and all that it encloses, are compared.
    levels
        From coarse to fine.
    bins
        Bins of the joint histogram along each axis.
    iterations
        Steps of the optimiser at each level, at most.
    search_mm, search_points, search_bins
        Size of the blocks (and SD of the smoothing), number of voxels and bins for the search of a start.
    search_step_deg, search_deg
        Distance and greatest length of the turns (rotation vectors) that are tried.
    search_step_mm, search_beyond_mm
        Distance of the shifts along the head that are tried with each turn, and how far they go beyond those at which
        the lower of the two images lies within the higher.
    kept
        How many starts are refined at each level but the last.
    turn_radius_mm
        A turn counts as the way of a point so far from the centre.
    refine_mm, refine_points
        The last refinement's blocks and SD of smoothing, and its number of voxels.
    refine_away_mm, refine_correlation
        The last refinement is dropped where it leaves the place by more than this, or bone correlates less than this.
    restarts, restart_deg, restart_mm
        How often the registration begins anew near where it ended, turned and shifted by so much.
    threads
        The same everywhere: sums in another order differ in the last digit.
    seed
        Of the choice of voxels.
    """

    fixed_frames: FixedFrames = "mean"
    motion: MotionSettings | None = field(default_factory=MotionSettings)
    low_hu: float = -300.0
    high_hu: float = 1300.0
    bone_hu: float = 300.0
    dense_hu: float = 1500.0
    component_share: float = 0.05
    around_mm: float = 8.0
    levels: tuple[Level, ...] = (Level(4.0, 3.0, 6000, 4.0, 0.2), Level(2.0, 2.0, 25000, 1.0, 0.02))
    bins: int = 40
    iterations: int = 100
    search_mm: float = 5.0
    search_points: int = 2500
    search_bins: int = 24
    search_step_deg: float = 16.0
    search_deg: float = 42.0
    search_step_mm: float = 12.0
    search_beyond_mm: float = 24.0
    kept: tuple[int, ...] = (8, 2)
    turn_radius_mm: float = 70.0
    refine_mm: float = 2.0
    refine_points: int = 30000
    refine_away_mm: float = 3.0
    refine_correlation: float = 0.8
    restarts: int = 3
    restart_deg: float = 5.0
    restart_mm: float = 6.0
    threads: int = 2
    seed: int = 1
