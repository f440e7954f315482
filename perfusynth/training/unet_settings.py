"""What is particular to the plain UNet family in a run's settings."""

from typing import Literal

from perfusynth.training.map_settings import MapSettings, PhaseSettings


class UNetSettings(MapSettings):
    """Its one phase, and the losses of what the bundle's outputs ask for: maps, the region, or both."""

    family: Literal["unet"] = "unet"
    supervised: PhaseSettings = PhaseSettings(steps=2000, heads_per_step=4, learning_rate=8e-4)
