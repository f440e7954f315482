"""What every generator family has in common: volumes in, maps with provenance out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.volumes.volume import Volume


@dataclass(frozen=True, eq=False)
class Synthesis:
    """Maps by output name, on the grid of the input, and what a reader must know of how they were made."""

    maps: Mapping[str, Volume]
    provenance: Mapping[str, Any] = field(default_factory=dict)


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
