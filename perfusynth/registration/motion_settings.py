"""`MotionSettings`: what motion between frames is measured on, and when it is beyond repair."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MotionSettings:
    """Every limit is the project's own choice unless it says otherwise, made on digital patients (`frames`).

    Parameters
    ----------
    block_mm
        Voxels are averaged to blocks of about this size before frames are compared.
    bone_hu, dense_hu
        HU are cut below and above these: what enhances (brain, vessels up to some 300 HU at 80 kV) is one flat value,
        and so are teeth and metal.
    component_share
        Pieces of bone below this share of the largest one's volume are left out: headrest, tubes, electrodes.
    coarse_mm, fine_mm, fine_of_slice
        SD of the smoothing at the two levels; the fine one is at least this share of the slice's thickness.
    least_sigma_voxels
        Smoothing is at least this wide along every axis: across thick slices, linear interpolation between two slices
        is only true for an image that is smooth there.
    coarse_points, fine_points
        Voxels with the strongest gradients that are compared.
    iterations, step_mm
        At most so many Gauss-Newton steps a level; done when no point of the head moves by more than this.
    same_position_share
        The reference is the earliest frame whose summed difference to all others is within this share of the least.
    least_correlation
        A frame whose bone correlates less with the reference's after alignment could not be aligned. On the phantom
        aligned frames reach 0.97 and more, 5 mm of motion within a frame 0.89, other heads 0.6.
    least_in_view
        Share of the reference's bone that a frame has to show.
    untouched_mm
        A frame whose skull moved less than this everywhere is left as it is.
    in_view_share
        A voxel is valid where at least this share of the frames shows it.
    unmended_share, unmended_run
        Frames that could not be aligned are interpolated in time up to this share of all, and so many in a row.
    thick_slice_mm, through_plane_share
        For slices as thick as this, motion across them beyond this share of their thickness is told.
    """

    block_mm: float = 2.0
    bone_hu: float = 300.0
    dense_hu: float = 1500.0
    component_share: float = 0.05
    coarse_mm: float = 4.0
    fine_mm: float = 2.0
    fine_of_slice: float = 0.25
    least_sigma_voxels: float = 0.7
    coarse_points: int = 8000
    fine_points: int = 20000
    iterations: int = 40
    step_mm: float = 0.002
    same_position_share: float = 0.1
    least_correlation: float = 0.9
    least_in_view: float = 0.6
    untouched_mm: float = 0.1
    in_view_share: float = 0.9
    unmended_share: float = 0.15
    unmended_run: int = 3
    thick_slice_mm: float = 4.0
    through_plane_share: float = 0.5
