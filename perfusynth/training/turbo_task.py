"""The pix2pix-turbo family's training task: first the whole head's context, then slabs, then, if asked, a judge."""

import numpy as np
import torch
from monai.losses import PatchAdversarialLoss
from monai.networks.nets import PatchDiscriminator
from torch import nn
from torch.nn import functional

from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.generators.head_images import as_images
from perfusynth.generators.turbo.building import untrained_network
from perfusynth.generators.turbo.context import Context
from perfusynth.generators.turbo.generator import TurboGenerator
from perfusynth.generators.turbo.glance import glance
from perfusynth.generators.turbo.network import TurboConfig
from perfusynth.training.head_tensors import middle, stacked, wanted_of
from perfusynth.training.heads import Head
from perfusynth.training.map_losses import named_map_errors, region_loss
from perfusynth.training.task import Networks, Phase, Tensors, Update
from perfusynth.training.turbo_losses import FeatureDistance
from perfusynth.training.turbo_settings import TurboSettings


class TurboTask:
    """What is particular to this family; the engine does the rest.

    The context network is a part of the generator and is trained by itself first: a whole head costs it less than one
    slab costs the slab network, and where the deficit lies is its question.
    """

    exported = "generator"

    def __init__(self, spec: GeneratorSpec, settings: TurboSettings):
        self.spec = spec
        self.settings = settings
        generator = untrained_network(TurboConfig.model_validate(spec.network))
        if settings.rerun_blocks:
            generator.checkpoint_gradients()
        self.networks: dict[str, nn.Module] = {self.exported: generator}
        self._context_config = generator.config.context
        if self._context_config is not None:
            self.networks["context"] = generator.context
        if settings.adversarial.steps:
            self.networks["discriminator"] = PatchDiscriminator(
                spatial_dims=2,
                channels=settings.adversarial.channels,
                in_channels=1 + len(spec.maps),
                num_layers_d=settings.adversarial.layers,
            )
            self._judged = PatchAdversarialLoss(criterion="least_squares")
        self._features = FeatureDistance(settings.perceptual.weights) if settings.perceptual else None
        self.phases = tuple(phase for phase in self._all_phases() if phase.steps)

    def _all_phases(self) -> list[Phase]:
        settings = self.settings
        found = []
        if self._context_config is not None:
            updates = (Update(("context",), self._context_losses),)
            pace = dict(settings.context)
            found.append(
                Phase("context", **pace, updates=updates, example=self._whole, collate=stacked, predict=self._glance)
            )
        updates = (Update((self.exported,), self._slab_losses),)
        found.append(Phase("slabs", **dict(settings.slabs), updates=updates, example=self._slabs, collate=stacked))
        judged = (
            Update((self.exported,), self._convincing_losses),
            Update(("discriminator",), self._judge_losses),
        )
        pace = {name: getattr(settings.adversarial, name) for name in ("steps", "heads_per_step", "learning_rate")}
        found.append(Phase("adversarial", **pace, updates=judged, example=self._slabs, collate=stacked))
        return found

    def _whole(self, head: Head, rng: np.random.Generator) -> Tensors:
        """The whole head: ``head`` and ``brain`` for the context network, targets averaged to its grid."""
        assert self._context_config is not None
        tensors = self._cropped(head)
        shrink = self._context_config.shrink
        counts = functional.avg_pool3d(tensors["counts"], (shrink, shrink, 1))

        def mean(values: torch.Tensor) -> torch.Tensor:
            pooled = functional.avg_pool3d(values * tensors["counts"], (shrink, shrink, 1))
            return pooled / counts.clamp(min=1e-3)

        coarse = {name: mean(tensors[name]) for name in ("maps", "deficit", "core")}
        asked = {"counts": counts, "core_counts": counts * float("core" in head.volumes)}
        return self._seen_whole(tensors) | coarse | asked

    def _slabs(self, head: Head, rng: np.random.Generator) -> Tensors:
        """Some slabs of a head, ``(slabs, channels, x, y)``, their numbers, and the whole head for their context."""
        tensors = self._cropped(head)
        chosen = torch.from_numpy(rng.integers(head.brain.shape[2], size=self.settings.slabs_per_head))
        slabs = {name: tensors[name][..., chosen].movedim(-1, 0) for name in ("maps", "counts", "deficit")}
        images = as_images(head.volumes[self.spec.inputs[0].name], head.brain, self.spec)[chosen]
        slabs["images"] = images[:, :, *middle(head.brain.shape, self.settings.crop)]
        return self._seen_whole(tensors) | slabs | {"chosen": chosen}

    def _cropped(self, head: Head) -> Tensors:
        """The middle of a head, all ``(channels, x, y, slabs)``.

        What `wanted_of` gives; ``brain`` and ``core``, 0 or 1; ``head``, HU, where there is a context network.
        """
        where = middle(head.brain.shape, self.settings.crop)
        tensors = wanted_of(head, self.spec)
        tensors["brain"] = torch.from_numpy(head.brain[None].astype(np.float32))
        core = head.volumes.get("core", np.zeros(head.brain.shape))
        tensors["core"] = torch.from_numpy((core > 0.5)[None].astype(np.float32))
        if self._context_config is not None:
            tensors["head"] = torch.from_numpy(head.volumes[self.spec.inputs[0].name][None].astype(np.float32))
        return {name: tensor[:, *where] for name, tensor in tensors.items()}

    def _seen_whole(self, tensors: Tensors) -> Tensors:
        return {name: tensors[name] for name in ("head", "brain")} if "head" in tensors else {}

    def _context_losses(self, networks: Networks, batch: Tensors) -> Tensors:
        answer = networks["context"](batch["head"], batch["brain"])
        heads = len(batch["head"])
        maps, logits = (part.float().unflatten(0, (heads, -1)).movedim(1, -1) for part in (answer.maps, answer.logits))
        losses = self._map_losses(maps, batch)
        region = region_loss(logits[:, :1], batch["deficit"], batch["counts"])
        core = region_loss(logits[:, 1:], batch["core"], batch["core_counts"])
        loss = losses["loss"] + self.settings.region_weight * region + self.settings.core_weight * core
        return losses | {"loss": loss, "region": region, "core": core}

    def _slab_losses(self, networks: Networks, batch: Tensors) -> Tensors:
        return self._errors(self._made(networks, batch), batch)

    def _convincing_losses(self, networks: Networks, batch: Tensors) -> Tensors:
        made = self._made(networks, batch)
        losses = self._errors(made, batch)
        judged = networks["discriminator"](self._shown(made, batch))[-1]
        convincing = self._judged(judged, target_is_real=True, for_discriminator=False)
        return losses | {
            "loss": losses["loss"] + self.settings.adversarial.weight * convincing,
            "convincing": convincing,
        }

    def _judge_losses(self, networks: Networks, batch: Tensors) -> Tensors:
        judge = networks["discriminator"]
        with torch.no_grad():
            made = self._made(networks, batch)
        real, fake = (judge(self._shown(maps, batch))[-1] for maps in (batch["maps"].flatten(0, 1), made))
        loss = self._judged(real, target_is_real=True, for_discriminator=True)
        return {"loss": (loss + self._judged(fake, target_is_real=False, for_discriminator=True)) / 2}

    def _made(self, networks: Networks, batch: Tensors) -> torch.Tensor:
        """Maps of all chosen slabs, ``(heads * slabs, maps, x, y)``; the context is what it has become by now."""
        images = batch["images"].flatten(0, 1)
        if self._context_config is None:
            return networks[self.exported](images).float()
        with torch.no_grad():
            context = Context(*networks["context"](batch["head"], batch["brain"]))
        first = torch.arange(len(batch["head"]), device=images.device) * batch["head"].shape[-1]
        return networks[self.exported](images, context.of((batch["chosen"] + first[:, None]).flatten())).float()

    def _shown(self, maps: torch.Tensor, batch: Tensors) -> torch.Tensor:
        """What the discriminator is shown: the slab itself, between its neighbours in the images, and its maps."""
        slab = batch["images"].flatten(0, 1)[:, self.spec.inputs[0].slices // 2, None]
        return torch.cat([slab, maps * batch["counts"].flatten(0, 1)], 1)

    def _errors(self, made: torch.Tensor, batch: Tensors) -> Tensors:
        slabs = {name: batch[name].flatten(0, 1) for name in ("maps", "counts", "deficit")}
        losses = self._map_losses(made, slabs)
        if self._features is None or self.settings.perceptual is None:
            return losses
        features = self._features.to(made.device)(made * slabs["counts"], slabs["maps"] * slabs["counts"])
        return losses | {"loss": losses["loss"] + self.settings.perceptual.weight * features, "features": features}

    def _map_losses(self, made: torch.Tensor, wanted: Tensors) -> Tensors:
        errors = named_map_errors(made, wanted, self.spec, self.settings)
        return {"loss": torch.stack(list(errors.values())).sum(), **errors}

    def _glance(self, network: nn.Module, head: Head, device: torch.device) -> dict[str, np.ndarray]:
        """What the context network alone makes of a head."""
        ncct = head.volumes[self.spec.inputs[0].name]
        return glance(network.context, ncct, head.brain, self.spec, device)  # type: ignore[arg-type]

    def predict(self, network: nn.Module, head: Head, device: torch.device) -> dict[str, np.ndarray]:
        """See `perfusynth.training.task.TrainingTask.predict`."""
        generator = TurboGenerator(network, self.spec, device)  # type: ignore[arg-type]  # a copy of the one made here
        return generator.on_model_grid(head.volumes, head.brain)
