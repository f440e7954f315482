"""What the settings of all families that make maps of an NCCT hold."""

from pydantic import BaseModel, ConfigDict, Field


class Plain(BaseModel):
    """Settings that refuse what they do not know."""

    model_config = ConfigDict(extra="forbid")


class PhaseSettings(Plain):
    """How long a phase lasts and how fast it learns; 0 steps leave it out."""

    steps: int = Field(ge=0)
    heads_per_step: int = Field(4, gt=0)
    learning_rate: float = Field(gt=0)


class MapSettings(Plain):
    """What is shown of a head, and what an error weighs."""

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
    region_weight: float = Field(1.0, ge=0, description="of cross entropy and Dice of the probability")
