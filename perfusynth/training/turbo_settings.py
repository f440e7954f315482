"""What is particular to the pix2pix-turbo family in a run's settings."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PhaseSettings(_Settings):
    """How long a phase lasts and how fast it learns; 0 steps leave it out."""

    steps: int = Field(ge=0)
    heads_per_step: int = Field(4, gt=0)
    learning_rate: float = Field(gt=0)


class AdversarialSettings(PhaseSettings):
    """A last phase in which a discriminator of patches (MONAI's `PatchDiscriminator`) judges NCCT and maps together."""

    steps: int = Field(0, ge=0)
    heads_per_step: int = Field(4, gt=0)
    learning_rate: float = Field(1e-4, gt=0)
    weight: float = Field(0.05, gt=0, description="of the adversarial loss beside the error of the maps [d]")
    channels: int = Field(32, gt=0, description="of the discriminator's first layer")
    layers: int = Field(3, gt=0, description="of the discriminator; each halves the resolution")


class PerceptualSettings(_Settings):
    """An error in the features of a frozen autoencoder, read from a folder of the user's; nothing is fetched."""

    weights: Path = Field(description="folder of a diffusers AutoencoderKL, for example the base's vae/")
    weight: float = Field(1.0, gt=0)


class TurboSettings(_Settings):
    """Phases and losses of this family."""

    family: Literal["turbo"] = "turbo"
    context: PhaseSettings = PhaseSettings(steps=1500, heads_per_step=4, learning_rate=2e-3)
    slabs: PhaseSettings = PhaseSettings(steps=800, heads_per_step=4, learning_rate=8e-4)
    adversarial: AdversarialSettings = AdversarialSettings()
    perceptual: PerceptualSettings | None = None
    slabs_per_head: int = Field(2, gt=0, description="slabs drawn from each head of a batch")
    crop: tuple[int, int] = Field(
        (128, 160), description="voxels (x, y) of each slab that are trained on, in the middle: what a brain needs"
    )
    absolute_weight: float = Field(0.25, ge=0, description="of the absolute error, whose best answer is the median")
    square_weight: float = Field(4.0, ge=0, description="of the squared error, whose best answer is the mean")
    deficit_weight: float = Field(
        2.5,
        ge=0,
        description="extra weight of tissue with Tmax > 6 s: a squared error so weighted is best answered above 6 s "
        "where a deficit is likelier than one in four, about half the Dice that can be had, and so best for Dice",
    )
    region_weight: float = Field(1.0, ge=0, description="of cross entropy and Dice of the context's probability")
