"""The information ceiling: how well any method could mark the Tmax > 6 s region from an NCCT of these patients."""

from perfusynth.evaluation.information_ceiling.observer import SignCuts, sign_of
from perfusynth.evaluation.information_ceiling.run import information_ceiling

__all__ = ["SignCuts", "information_ceiling", "sign_of"]
