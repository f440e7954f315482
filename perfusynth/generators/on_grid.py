"""From a scan to its model grid and back: what every generator that works on the model grid does alike."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from perfusynth.errors import InputError
from perfusynth.generators.activations import heard
from perfusynth.generators.base import Synthesis
from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.generators.execution import Execution
from perfusynth.generators.head_statistics import head_statistics
from perfusynth.generators.head_view import HeadView
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.volumes.model_grid import BRAIN_SHARE, GridMapping, ModelGrid, map_to_grid
from perfusynth.volumes.volume import Volume


class OnGridGenerator(ABC):
    """A generator that is given one modality on its model grid, and whose family says what it makes of it there.

    Parameters
    ----------
    spec
        What goes in and comes out, from the bundle's metadata.
    device
        Where it runs.
    execution
        How it runs there; None: in float32.
    """

    def __init__(self, spec: GeneratorSpec, device: torch.device, execution: Execution | None = None):
        self.spec = spec
        self.device = device
        self.execution = execution or Execution(device)

    @abstractmethod
    def on_model_grid(
        self, volumes: Mapping[str, np.ndarray], brain: np.ndarray, on_progress: OnProgress = ignore_progress
    ) -> dict[str, np.ndarray]:
        """See `perfusynth.generators.base.Generator.on_model_grid`."""

    @property
    def innermost(self) -> nn.Module | None:
        """The layer whose activations, ``(slabs, channels, x, y)``, tell heads apart; None: the family names none."""
        return None

    def observe(
        self, volumes: Mapping[str, np.ndarray], brain: np.ndarray, on_progress: OnProgress = ignore_progress
    ) -> tuple[dict[str, np.ndarray], HeadView]:
        """See `perfusynth.generators.base.Generator.observe`."""
        with heard(self.innermost) as activations:
            maps = self.on_model_grid(volumes, brain, on_progress)
        grid = self.spec.grid
        spacing = (grid.spacing_mm, grid.spacing_mm, grid.slab_mm)
        image = volumes[self.spec.inputs[0].name]
        return maps, HeadView(activations.features(), head_statistics(image, np.asarray(brain) > 0, spacing))

    def synthesize(
        self,
        inputs: Mapping[str, Volume],
        *,
        options: Mapping[str, Any] | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Synthesis:
        """See `perfusynth.generators.base.Generator.synthesize`; there are no options."""
        if options:
            raise InputError(
                "Unknown options for this generator.",
                expected="none",
                got=", ".join(sorted(options)),
                hint="Remove them.",
                code="unknown_option",
            )
        name = self.spec.inputs[0].name
        scan, brain = _checked(inputs, name)
        grid = self.spec.grid
        mapping = map_to_grid(scan, brain.array > 0, ModelGrid(grid.size, grid.spacing_mm, grid.slab_mm))
        image, share = mapping.head_to_model(brain.array)
        made, view = self.observe({name: image}, share >= BRAIN_SHARE, on_progress)
        on_scan = _WayBack(share, mapping)
        maps = {}
        for output in self.spec.outputs:
            # Resampling rounds: what lay at an end of the range may lie a hair beyond it.
            values = np.clip(on_scan(made[output.name]), *output.range)
            maps[output.name] = scan.with_array(values * (brain.array > 0))
        return Synthesis(maps, {**self.execution.told(), "model_grid_shape": list(mapping.shape)}, view)


def _checked(inputs: Mapping[str, Volume], name: str) -> tuple[Volume, Volume]:
    missing = {name, "brain"} - set(inputs)
    if missing:
        raise InputError(
            "A volume is missing.",
            expected=f"{name} and brain",
            got=", ".join(sorted(inputs)) or "nothing",
            hint=f"Give {', '.join(sorted(missing))}.",
            code="missing_input",
        )
    scan, brain = inputs[name], inputs["brain"]
    if scan.shape != brain.shape or not np.allclose(scan.affine, brain.affine, atol=1e-3) or not brain.array.any():
        raise InputError(
            "The brain mask does not fit the image.",
            expected=f"a mask that is not empty on the grid {scan.shape}",
            got=f"{brain.shape} with {int((brain.array > 0).sum())} voxels",
            hint="Make the mask on the very volume that is synthesised.",
            code="bad_mask",
        )
    return scan, brain


class _WayBack:
    """From the model grid to the scan's, out of brain voxels alone: nothing bleeds in from outside the brain."""

    def __init__(self, share: np.ndarray, mapping: GridMapping):
        self._mapping = mapping
        self._used = (share >= BRAIN_SHARE).astype(np.float32)
        weight = mapping.to_scan(self._used)
        # Where no brain voxel is near (a sliver of a slab), the plain value stands.
        self._far = weight <= 1e-3
        self._weight = np.maximum(weight, 1e-3)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """One map, ``(x, y, slabs)`` on the model grid, on the scan's grid."""
        made = self._mapping.to_scan(values * self._used) / self._weight
        return np.where(self._far, self._mapping.to_scan(values), made)
