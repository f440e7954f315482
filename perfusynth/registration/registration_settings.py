"""`RegistrationSettings`: what NCCT and perfusion study are compared on, and how far the search goes."""

from dataclasses import dataclass, field
from typing import Literal

from perfusynth.registration.motion_settings import MotionSettings

FixedFrames = Literal["mean", "baseline"]


@dataclass(frozen=True)
class FitWindow:
    """What a Gauss-Newton fit (`window_fit`) sees.

    Parameters
    ----------
    low_hu, high_hu
        HU are cut here.
    block_mm
        Voxels are averaged to blocks of about this size, and smoothed by a Gaussian of this SD.
    points
        Voxels that are compared, at most.
    iterations, step_mm
        At most so many steps; done when no point moves by more than this.
    """

    low_hu: float
    high_hu: float
    block_mm: float
    points: int
    iterations: int
    step_mm: float


@dataclass(frozen=True)
class InformationLevel:
    """What SimpleITK sees of the images at one level of the pyramid, and how far it steps.

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
    kept
        How many of the transforms go on to the next level.
    """

    block_mm: float
    smooth_mm: float
    points: int
    first_step_mm: float
    least_step_mm: float
    kept: int


@dataclass(frozen=True)
class SearchSettings:
    """Where starts are looked for.

    Parameters
    ----------
    block_mm, points, bins
        Size of the blocks and SD of the smoothing, voxels that are compared, bins of the histogram along each axis.
    step_deg, furthest_deg
        Distance and greatest length of the turns (rotation vectors) that are tried.
    step_mm, beyond_mm
        Distance of the shifts along the head that are tried with each turn, and how far they go beyond those at which
        the lower of the two images lies within the higher.
    refined
        How many of the starts the coarse fit refines.
    distinct_mm
        Of two that end nearer to each other than this, only the better goes on.
    """

    block_mm: float = 5.0
    points: int = 2500
    bins: int = 24
    step_deg: float = 16.0
    furthest_deg: float = 42.0
    step_mm: float = 12.0
    beyond_mm: float = 24.0
    refined: int = 40
    distinct_mm: float = 2.0


@dataclass(frozen=True)
class RegistrationSettings:
    """Every number is the project's own choice, made on simulated pairs (docs/registration.md).

    Parameters
    ----------
    fixed_frames
        What of a series is registered: its mean over time, or the mean of the frames before the contrast.
    motion
        How its frames are brought to one position first; None: they already are.
    finest_mm
        Finer voxels are averaged to about this before anything else.
    low_hu, high_hu
        HU are cut below and above these for mutual information: padding and air are one value, teeth and metal no more
        than dense bone.
    bone_hu, dense_hu
        Block means between these are bone when the head is looked for.
    component_share
        Pieces of bone below this share of the largest one's volume are left out: headrest, tubes, electrodes.
    around_mm
        Voxels up to this far from the skull, and all that it encloses, are compared.
    search
        Of a start.
    coarse
        The first fit, of all starts.
    starts
        How many places go on from there.
    levels
        Mutual information, from coarse to fine.
    bins, iterations
        Bins of the joint histogram along each axis, and steps of the optimiser at a level, at most.
    turn_radius_mm
        A turn counts as the way of a point so far from the centre.
    bone
        The last fit. Tissue and the blood of a mean over time lie below its window; dense bone at 80 kV reaches 2000.
    bone_loss
        It is dropped where it loses more than this share of the mutual information: there is little bone, or it moved.
    restarts, restart_deg, restart_mm
        How often the registration begins anew near where it ended, turned and shifted by so much.
    threads
        Of SimpleITK; the same everywhere, so that equal images give equal transforms.
    seed
        Of the choice of voxels.
    """

    fixed_frames: FixedFrames = "mean"
    motion: MotionSettings | None = field(default_factory=MotionSettings)
    finest_mm: float = 0.9
    low_hu: float = -300.0
    high_hu: float = 1300.0
    bone_hu: float = 300.0
    dense_hu: float = 1500.0
    component_share: float = 0.05
    around_mm: float = 8.0
    search: SearchSettings = SearchSettings()
    coarse: FitWindow = FitWindow(-300.0, 1300.0, block_mm=5.0, points=2000, iterations=20, step_mm=0.2)
    starts: int = 4
    levels: tuple[InformationLevel, ...] = (
        InformationLevel(4.0, 3.0, points=6000, first_step_mm=2.0, least_step_mm=0.1, kept=2),
        InformationLevel(2.0, 2.0, points=25000, first_step_mm=1.0, least_step_mm=0.02, kept=1),
    )
    bins: int = 40
    iterations: int = 100
    turn_radius_mm: float = 70.0
    bone: FitWindow = FitWindow(150.0, 2000.0, block_mm=2.0, points=30000, iterations=60, step_mm=0.002)
    bone_loss: float = 0.03
    restarts: int = 3
    restart_deg: float = 5.0
    restart_mm: float = 6.0
    threads: int = 2
    seed: int = 1
