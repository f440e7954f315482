"""What each reader hands to `read_scan`, whatever the format."""

from dataclasses import dataclass

from perfusynth.volumes.acquisition import Acquisition
from perfusynth.volumes.volume import Volume

#: HU of air, and the lowest value that a scan keeps: scanners pad with -1500, -2000 or -3024 outside their round field.
AIR_HU = -1024.0
#: Fewest slices of a volume: two do not show an even spacing.
MIN_SLICES = 3


@dataclass(frozen=True, eq=False)
class Loaded:
    """A scan before it is hashed: ``native`` holds the voxels as read, ``volume`` the even orthogonal grid."""

    volume: Volume
    native: Volume
    acquisition: Acquisition
    resampled: bool
    notes: tuple[str, ...]
