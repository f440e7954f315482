"""How a head looked to a generator: what its network made of it inside, and plain figures of its image."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class HeadView:
    """One head, as its domain is judged by (`perfusynth.generators.domain`).

    Parameters
    ----------
    features
        Mean activations of the network's innermost layer over the head, ``(n,)``; empty where none were heard.
    statistics
        Plain figures of the image (`perfusynth.generators.head_statistics`).
    """

    features: np.ndarray
    statistics: Mapping[str, float]
