"""A digital patient as a case folder: which files it holds, on which grids, and how they are written."""

from perfusynth.phantom.case.write import write_case

__all__ = ["write_case"]
