"""Is this an NCCT of a head that a map may be made of? Findings that refuse or warn, with numbers."""

from perfusynth.volumes.head_check.check import check_anatomy, check_head, check_image, refusals
from perfusynth.volumes.head_check.limits import HeadCheckLimits

__all__ = ["HeadCheckLimits", "check_anatomy", "check_head", "check_image", "refusals"]
