"""The information ceiling: how well any method could mark the Tmax > 6 s region from an NCCT of these patients."""

from perfusynth.evaluation.information_ceiling.run import information_ceiling
from perfusynth.evaluation.information_ceiling.sign import SignCuts, sign_of

__all__ = ["SignCuts", "information_ceiling", "sign_of"]
