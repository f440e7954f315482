"""What every generator family has in common: volumes in, maps with provenance out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from perfusynth.generators.head_view import HeadView
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.volumes.volume import Volume


@dataclass(frozen=True, eq=False)
class Synthesis:
    """Maps by output name, on the grid of the input, and what a reader must know of how they were made.

    ``view`` is how the head looked to the network, None from a generator that does not tell.
    """

    maps: Mapping[str, Volume]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    view: HeadView | None = None


class Generator(Protocol):
    """A loaded generator; deterministic on one machine and one set of versions."""

    def synthesize(
        self,
        inputs: Mapping[str, Volume],
        *,
        options: Mapping[str, Any] | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Synthesis:
        """Make the maps.

        Parameters
        ----------
        inputs
            One volume per modality named in the bundle's metadata, plus ``brain`` (1 inside, 0 outside) on the
            grid of the first.
        options
            Settings of the family; unknown names are an error.
        on_progress
            Told the stage ``generate`` and its fraction; may raise `Cancelled`.

        Raises
        ------
        InputError
            A modality is missing or lies on another grid.
        Cancelled
            ``on_progress`` asked to stop.
        """
        ...

    def on_model_grid(
        self, volumes: Mapping[str, np.ndarray], brain: np.ndarray, on_progress: OnProgress = ignore_progress
    ) -> dict[str, np.ndarray]:
        """Make the maps of a head that lies on the model grid already: nothing is resampled, no noise is blurred.

        Parameters
        ----------
        volumes
            One array per modality named in the bundle's metadata, ``(x, y, slabs)`` in nearest-RAS order, the brain
            in the middle of x.
        brain
            Same shape, more than 0 inside; not empty.
        on_progress
            Told the stage ``generate`` and its fraction; may raise `Cancelled`.

        Returns
        -------
        Maps by output name on the same grid, float32 in the units of the metadata; what stands outside the brain means
        nothing.
        """
        ...

    def observe(
        self, volumes: Mapping[str, np.ndarray], brain: np.ndarray, on_progress: OnProgress = ignore_progress
    ) -> tuple[dict[str, np.ndarray], HeadView]:
        """As `on_model_grid`, and how the head looked to the network meanwhile: no pass more."""
        ...
