"""The pix2pix-turbo family: NCCT in, Tmax and CBF out, in one pass over every slab."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from perfusynth.errors import InputError
from perfusynth.generators.base import Synthesis
from perfusynth.generators.bundles import Bundle, GeneratorSpec
from perfusynth.generators.turbo.images import as_images, rectangle_around, to_units
from perfusynth.generators.turbo.network import TurboConfig, TurboNetwork
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.volumes.model_grid import AIR_HU, GridMapping, ModelGrid, map_to_grid
from perfusynth.volumes.volume import Volume

#: Slabs in one forward pass: a CPU gains nothing beyond its caches, a GPU takes a whole head at once.
BATCH_SLABS = {"cpu": 4, "cuda": 64}

#: Share of a model-grid voxel that must be brain for its value to be used on the scan's grid.
BRAIN_SHARE = 0.5


class TurboGenerator:
    """A loaded generator of the family.

    Parameters
    ----------
    network
        The trained network, in evaluation mode on ``device``.
    spec
        What goes in and comes out, from the bundle's metadata.
    device
        Where it runs.
    """

    def __init__(self, network: TurboNetwork, spec: GeneratorSpec, device: torch.device):
        self.network = network
        self.spec = spec
        self.device = device

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: torch.device) -> "TurboGenerator":
        """Load a bundle's weights (stored as float16, used as float32) onto a device, after checking their hash."""
        bundle.verify()
        network = TurboNetwork(TurboConfig.model_validate(bundle.spec.network))
        state = {name: tensor for file in bundle.weight_files for name, tensor in load_file(file).items()}
        network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
        network.to(device).eval().requires_grad_(False)
        return cls(network, bundle.spec, device)

    def synthesize(
        self,
        inputs: Mapping[str, Volume],
        *,
        options: Mapping[str, Any] | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Synthesis:
        """See `perfusynth.generators.base.Generator.synthesize`; this family has no options."""
        if options:
            raise InputError(
                "Unknown options for this generator.",
                expected="none",
                got=", ".join(sorted(options)),
                hint="Remove them.",
                code="unknown_option",
            )
        scan, brain = self._checked(inputs)
        grid = self.spec.grid
        mapping = map_to_grid(scan, brain.array > 0, ModelGrid(grid.size, grid.spacing_mm, grid.slab_mm))
        ncct = mapping.to_model(np.nan_to_num(scan.array, nan=AIR_HU), outside=AIR_HU)
        share = mapping.to_model(brain.array)
        made = self.translate(ncct, share >= BRAIN_SHARE, on_progress)
        on_scan = _WayBack(share, mapping)
        maps = {
            output.name: scan.with_array(on_scan(values) * (brain.array > 0))
            for output, values in zip(self.spec.outputs, made, strict=True)
        }
        return Synthesis(maps, {"device": str(self.device), "model_grid_shape": list(mapping.shape)})

    def on_model_grid(
        self, volumes: Mapping[str, np.ndarray], brain: np.ndarray, on_progress: OnProgress = ignore_progress
    ) -> dict[str, np.ndarray]:
        """See `perfusynth.generators.base.Generator.on_model_grid`."""
        made = self.translate(volumes[self.spec.inputs[0].name], np.asarray(brain) > 0, on_progress)
        return {output.name: values for output, values in zip(self.spec.outputs, made, strict=True)}

    def _checked(self, inputs: Mapping[str, Volume]) -> tuple[Volume, Volume]:
        name = self.spec.inputs[0].name
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

    @torch.inference_mode()
    def translate(self, ncct: np.ndarray, brain: np.ndarray, on_progress: OnProgress = ignore_progress) -> np.ndarray:
        """Make the maps of a head that is already on the model grid.

        Only the rectangle around the brain passes through the network: the rest would be masked away. It passes as it
        is and mirrored, and the mean of both answers is taken: so the generator prefers no side by construction, and a
        head stored or held the other way round gives the same maps the other way round.

        Parameters
        ----------
        ncct
            HU, shape ``(x, y, slabs)`` in nearest-RAS order.
        brain
            bool, same shape; not empty.
        on_progress
            Told the stage ``generate``.

        Returns
        -------
        float32 array ``(maps, x, y, slabs)`` in the units of the metadata, clipped to their ranges; outside the
        rectangle the lower end of each range.
        """
        columns, rows = rectangle_around(brain | brain[::-1], self.network.config.divisor)
        upright = as_images(ncct, brain, self.spec)[:, :, columns, rows]
        mirrored = as_images(ncct[::-1], brain[::-1], self.spec)[:, :, columns, rows]
        batch = BATCH_SLABS[self.device.type]
        done: list[torch.Tensor] = []
        for pair in zip(torch.split(upright, batch), torch.split(mirrored, batch), strict=True):
            on_progress("generate", min(1.0, len(done) * batch / ncct.shape[2]))
            one, other = (self.network(images.to(self.device)).float() for images in pair)
            done.append(((one + other.flip(2)) / 2).cpu())
        on_progress("generate", 1.0)
        made = np.full((ncct.shape[2], len(self.spec.outputs), *ncct.shape[:2]), -1, dtype=np.float32)
        made[:, :, columns, rows] = torch.cat(done).numpy()
        return to_units(made, self.spec)


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
