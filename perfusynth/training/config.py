"""The typed schema of a training run: the only thing that decides what a run does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from perfusynth.errors import InputError
from perfusynth.generators.seen_patients import Part, SeedRanges, SplitRule
from perfusynth.training.turbo_settings import TurboSettings
from perfusynth.training.unet_settings import UNetSettings
from perfusynth.volumes.case_registration import ERROR_PROBABILITY_MAX

#: What a run's settings hold of its family: one of the families' settings, told apart by ``family``.
TaskSettings = Annotated[TurboSettings | UNetSettings, Field(discriminator="family")]


class OptimiserSettings(BaseModel):
    """AdamW and its schedule, in each phase anew: a warm-up, then half a cosine."""

    model_config = ConfigDict(extra="forbid")

    warmup_steps: int = Field(100, ge=0)
    last_share: float = Field(0.02, ge=0, le=1, description="learning rate at a phase's end, of its peak")
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(1e-2, ge=0)
    gradient_clip: float = Field(1.0, gt=0, description="largest norm of each update's gradient")
    average_decay: float = Field(0.998, ge=0, lt=1, description="of the moving average that is exported, a step")


class TuningSettings(BaseModel):
    """How often the moving average is measured on the tuning patients, and what follows."""

    model_config = ConfigDict(extra="forbid")

    every: int = Field(500, gt=0, description="steps")
    heads: int = Field(32, gt=0, description="at most so many of the tuning patients, the first ones")
    best_by: str = Field("mae_tmax", description="figure by which the best weights of each phase are kept")
    patience: int | None = Field(
        None, gt=0, description="a phase ends after so many measurements without a better one; None: never"
    )


class AugmentationSettings(BaseModel):
    """How far a head is altered; 0 switches an alteration off."""

    model_config = ConfigDict(extra="forbid")

    mirrored_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of heads that are shown mirrored, images and maps alike: no side is preferred",
    )
    shift_mm: float = Field(
        1.0, ge=0, le=2, description="largest shift of the maps against the images: what is left after registration [d]"
    )
    turn_deg: float = Field(1.0, ge=0, le=2, description="largest turn of the maps against the images [d]")
    common_turn_deg: float = Field(
        4.0, ge=0, le=15, description="largest turn in plane of images and maps together: heads lie askew [d]"
    )
    common_zoom: float = Field(
        0.04, ge=0, le=0.2, description="largest change of size in plane of images and maps together: heads differ [d]"
    )
    hu_offset: float = Field(
        1.0, ge=0, description="SD of an offset of the NCCT, HU; scanners are held to water within 4 HU (IEC 61223-3-5)"
    )
    hu_gain: float = Field(0.01, ge=0, description="SD of a factor on the NCCT about 1: tube voltage, filters [d]")
    hu_noise: float = Field(
        0.5, ge=0, description="largest SD of white noise added to the NCCT on the model grid, HU, beside its own [d]"
    )


class TrainingConfig(BaseModel):
    """Plain values of one run; written beside its checkpoints."""

    model_config = ConfigDict(extra="forbid")

    bundle: Path = Field(description="bundle folder whose metadata names the network, the inputs and the outputs")
    out: Path = Field(description="folder of the run: checkpoints, log, split, configuration")
    task: TaskSettings = Field(default_factory=TurboSettings, description="what is particular to the family")
    phantom_seeds: tuple[int, int] | dict[Part, tuple[int, int]] | None = Field(
        None,
        description="digital patients: one half-open range, shared out by ``split``, or a range for each part",
    )
    data: Path | None = Field(None, description="folder of case folders, shared out by ``split``")
    split: SplitRule = Field(default_factory=SplitRule)
    split_file: Path | None = Field(None, description="a split.json that says which case is in which part")
    registration_error_max: float = Field(
        ERROR_PROBABILITY_MAX,
        ge=0,
        le=1,
        description="case folders whose automatic registration is more probably off by over 2 mm are left out until an "
        "annotator has looked",
    )
    drawn: Path | None = Field(None, description="folder in which digital patients are kept once they are drawn")
    start_from: Path | None = Field(None, description="bundle whose weights the run begins with (fine-tuning)")
    augmentation: AugmentationSettings = Field(default_factory=AugmentationSettings)
    optimiser: OptimiserSettings = Field(default_factory=OptimiserSettings)
    tuning: TuningSettings = Field(default_factory=TuningSettings)
    precision: Literal["float32", "bfloat16"] = Field(
        "bfloat16", description="of the networks' passes; weights, losses and whatever the task pins stay in float32"
    )
    device: str = "auto"
    seed: int = Field(0, ge=0)
    checkpoint_every: int = Field(100, gt=0, description="steps")
    workers: int = Field(1, ge=0, description="processes that prepare batches; 0 prepares them in this one")
    minutes: float | None = Field(None, gt=0, description="stop after so long; run again to go on")

    @model_validator(mode="after")
    def _one_source(self) -> "TrainingConfig":
        if (self.phantom_seeds is None) == (self.data is None):
            raise ValueError("expected either phantom_seeds or data")
        if isinstance(self.phantom_seeds, dict):
            SeedRanges(ranges=self.phantom_seeds)  # refuses parts that share patients
        elif self.phantom_seeds is not None and not 0 <= self.phantom_seeds[0] < self.phantom_seeds[1]:
            raise ValueError("expected phantom_seeds with 0 <= first < end")
        if self.split_file is not None and self.data is None:
            raise ValueError("expected data beside split_file")
        return self


def config_from(values: Mapping[str, Any]) -> TrainingConfig:
    """Check plain values.

    Raises
    ------
    InputError
        Code ``bad_settings``: one is unknown, missing, or not what it must be.
    """
    try:
        return TrainingConfig.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the settings"
        raise InputError(
            "These training settings cannot be used.",
            expected="known names with values of their type",
            got=f"{where}: {first['msg']}"[:200],
            hint="docs/training.md lists the settings.",
            code="bad_settings",
        ) from error
