"""The typed schema of a training run: the only thing that decides what a run does."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class TrainingConfig(BaseModel):
    """Plain values of one run; written beside its checkpoints.

    Seeds are half-open ranges ``(first, end)`` of digital patients; a patient is its seed, so that ranges which do
    not overlap share no patient.
    """

    model_config = ConfigDict(extra="forbid")

    bundle: Path = Field(description="bundle folder whose metadata names the network, the inputs and the outputs")
    out: Path = Field(description="folder of the run: checkpoints, log, configuration")
    train_seeds: tuple[int, int]
    tune_seeds: tuple[int, int]
    steps: int = Field(gt=0)
    batch_slabs: int = Field(8, gt=0)
    patient_pool: int = Field(24, gt=0, description="patients whose slabs a batch is drawn from")
    steps_per_patient: int = Field(2, gt=0, description="steps after which the oldest patient of the pool is replaced")
    learning_rate: float = Field(8e-4, gt=0)
    warmup_steps: int = Field(100, ge=0)
    weight_decay: float = Field(1e-2, ge=0)
    gradient_clip: float = Field(1.0, gt=0)
    ema_decay: float = Field(0.998, ge=0, lt=1)
    early_boost: float = Field(
        3.0, ge=1, description="net water uptake of the first patients is this many times the drawn one: a curriculum"
    )
    early_boost_patients: int = Field(250, ge=0, description="patients over which the boost falls to 1, linearly")
    crop: tuple[int, int] = Field(
        (128, 160),
        description="voxels (x, y) of each slab that are trained on, around the brain; what an average needs",
    )
    crop_jitter: int = Field(10, ge=0, description="the crop is shifted at random by up to this many voxels")
    deficit_weight: float = Field(1.0, ge=0, description="extra weight of voxels with Tmax > 6 s in the loss")
    square_weight: float = Field(4.0, ge=0, description="weight of the squared beside the absolute error")
    bf16: bool = Field(True, description="mixed precision; the one-step formula stays in float32")
    device: str = "auto"
    seed: int = 0
    checkpoint_every: int = Field(100, gt=0)
    tune_every: int = Field(500, gt=0)
    workers: int = Field(1, ge=0, description="processes that draw patients; 0 draws them in this one")

    @field_validator("train_seeds", "tune_seeds")
    @classmethod
    def _not_empty(cls, seeds: tuple[int, int]) -> tuple[int, int]:
        if not 0 <= seeds[0] < seeds[1]:
            raise ValueError("expected first < end, both >= 0")
        return seeds

    @model_validator(mode="after")
    def _patients_disjoint(self) -> "TrainingConfig":
        (a, b), (c, d) = self.train_seeds, self.tune_seeds
        if a < d and c < b:
            raise ValueError("train_seeds and tune_seeds share patients")
        return self
