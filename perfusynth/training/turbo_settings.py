"""What is particular to the pix2pix-turbo family in a run's settings."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from perfusynth.training.map_settings import MapSettings, PhaseSettings, Plain


class AdversarialSettings(PhaseSettings):
    """A last phase in which a discriminator of patches (MONAI's `PatchDiscriminator`) judges NCCT and maps together."""

    steps: int = Field(0, ge=0)
    heads_per_step: int = Field(4, gt=0)
    learning_rate: float = Field(1e-4, gt=0)
    weight: float = Field(0.05, gt=0, description="of the adversarial loss beside the error of the maps [d]")
    channels: int = Field(32, gt=0, description="of the discriminator's first layer")
    layers: int = Field(3, gt=0, description="of the discriminator; each halves the resolution")


class PerceptualSettings(Plain):
    """An error in the features of a frozen autoencoder, read from a folder of the user's; nothing is fetched."""

    weights: Path = Field(description="folder of a diffusers AutoencoderKL, for example the base's vae/")
    weight: float = Field(1.0, gt=0)


class TurboSettings(MapSettings):
    """Phases and losses of this family."""

    family: Literal["turbo"] = "turbo"
    context: PhaseSettings = PhaseSettings(steps=1500, heads_per_step=4, learning_rate=2e-3)
    slabs: PhaseSettings = PhaseSettings(steps=800, heads_per_step=4, learning_rate=8e-4)
    adversarial: AdversarialSettings = AdversarialSettings()
    perceptual: PerceptualSettings | None = None
    rerun_blocks: bool = Field(
        False, description="run blocks again in the backward pass instead of keeping what they made: less memory"
    )
    core_weight: float = Field(
        1.0,
        ge=0,
        description="of cross entropy and Dice of the context's probability of core, where a case has one: what an "
        "NCCT shows is the core, and the deficit lies around it",
    )
