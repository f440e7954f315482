"""All that changes while a run trains: networks, their average, optimisers, where it stands; kept and restored."""

from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from perfusynth.generators.bundles import Bundle
from perfusynth.generators.weights import read_weights
from perfusynth.training.checkpoints import (
    AVERAGE,
    Standing,
    complete_folder,
    read_network,
    read_optimisers,
    read_standing,
    restore,
    save_checkpoint,
    state_of,
    trained_names,
)
from perfusynth.training.config import OptimiserSettings
from perfusynth.training.task import Phase, TrainingTask

#: Steps after which an average has forgotten a random start; weights that were trained before are not to be forgotten.
WARM_AVERAGE_STEPS = 1_000_000


class RunState:
    """A task's networks on a device, and what their training has made so far.

    Parameters
    ----------
    task
        Its networks are moved to the device.
    settings
        Optimiser and moving average.
    folder
        Where the checkpoint lies.
    """

    def __init__(self, task: TrainingTask, settings: OptimiserSettings, folder: Path, device: torch.device):
        self.task, self.settings, self.folder, self.device = task, settings, folder, device
        self.names = {name: trained_names(network) for name, network in task.networks.items()}
        self.moving = {
            id(weight) for network in task.networks.values() for weight in network.parameters() if weight.requires_grad
        }
        for network in task.networks.values():
            network.to(device)
        self.standing = Standing()
        self.optimisers: list[torch.optim.Optimizer] = []
        self._averaged = self._average_of(self.exported)

    @property
    def exported(self) -> nn.Module:
        """The network whose moving average becomes the bundle's weights, as it is trained."""
        return self.task.networks[self.task.exported]

    @property
    def average(self) -> nn.Module:
        """Its moving average."""
        return self._averaged.module

    @property
    def phase(self) -> Phase | None:
        """The phase that the run stands in, None when it is finished."""
        phases = self.task.phases
        return phases[self.standing.phase] if self.standing.phase < len(phases) else None

    @property
    def steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.task.phases)

    @property
    def reached(self) -> int:
        """Steps behind the run, with those that earlier phases could have had."""
        before = sum(phase.steps for phase in self.task.phases[: self.standing.phase])
        return before + self.standing.step

    def start_from(self, bundle: Bundle) -> None:
        """Begin with a bundle's weights, in the network and its average.

        Raises
        ------
        InputError
            Codes ``weights_changed``, ``other_network``.
        """
        restore(self.exported, read_weights(bundle), self.names[self.task.exported])
        self._averaged = self._average_of(self.exported)
        self._averaged.n_averaged.fill_(WARM_AVERAGE_STEPS)

    def restore(self) -> bool:
        """Go on from the checkpoint; False when there is none.

        Raises
        ------
        InputError
            Code ``other_network``: the run was begun with other networks.
        """
        found = complete_folder(self.folder)
        if found is None:
            return False
        self.standing = read_standing(found)
        for name, network in self.task.networks.items():
            restore(network, read_network(found, name), self.names[name])
        average = read_network(found, AVERAGE)
        self._averaged.n_averaged.copy_(average.pop("n_averaged"))
        restore(self.average, average, self.names[self.task.exported])
        self._make_optimisers()
        read_optimisers(found, self.optimisers)
        return True

    def save(self) -> None:
        """Write the checkpoint."""
        networks = {name: state_of(network, self.names[name]) for name, network in self.task.networks.items()}
        average = state_of(self.average, self.names[self.task.exported])
        average["n_averaged"] = self._averaged.n_averaged.detach().cpu()
        save_checkpoint(self.folder, self.standing, networks | {AVERAGE: average}, self.optimisers)

    def begin_phase(self, number: int) -> None:
        """Stand at the beginning of a phase, with new optimisers."""
        self.standing = Standing(phase=number)
        self._make_optimisers()

    def update_average(self) -> None:
        """Take the network of this step into the moving average."""
        self._averaged.update_parameters(self.exported)

    def _make_optimisers(self) -> None:
        phase, s = self.phase, self.settings
        if phase is None:
            self.optimisers = []
            return
        self.optimisers = [
            torch.optim.AdamW(
                self.weights_of(update.networks),
                phase.learning_rate,
                betas=s.betas,
                weight_decay=s.weight_decay,
            )
            for update in phase.updates
        ]

    def weights_of(self, networks: tuple[str, ...]) -> list[nn.Parameter]:
        """The parameters of named networks that training moves at all, each once."""
        found = {id(weight): weight for name in networks for weight in self.task.networks[name].parameters()}
        return [weight for key, weight in found.items() if key in self.moving]

    def let_move(self, networks: tuple[str, ...]) -> None:
        """Ask for gradients of named networks alone."""
        now = {id(weight) for weight in self.weights_of(networks)}
        for network in self.task.networks.values():
            for weight in network.parameters():
                weight.requires_grad_(id(weight) in now)

    def _average_of(self, network: nn.Module) -> AveragedModel:
        decay = self.settings.average_decay
        return AveragedModel(network, avg_fn=lambda mean, new, count: moving_average(mean, new, int(count), decay))


def moving_average(mean: torch.Tensor, new: torch.Tensor, count: int, decay: float) -> torch.Tensor:
    """Exponential moving average whose memory grows with the run, so that the random start is soon forgotten."""
    return torch.lerp(new, mean, min(decay, (1 + count) / (10 + count)))
