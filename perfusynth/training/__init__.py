"""Training: one task a family; data, losses and the engine are shared."""

from perfusynth.training.run import run

__all__ = ["run"]
