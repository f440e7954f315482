"""How an installation finds brains: environment variables ``PERFUSYNTH_<NAME>``."""

from pathlib import Path
from typing import Final, Literal, get_args

from pydantic import Field

from perfusynth.environment_settings import EnvironmentSettings

Method = Literal["builtin", "totalsegmentator"]
#: Voxel size of TotalSegmentator's models: 3 mm is its ``--fast``.
Resolution = Literal["3mm", "1.5mm"]

METHODS: Final[tuple[Method, ...]] = get_args(Method)


class BrainSettings(EnvironmentSettings):
    """Which method, and where TotalSegmentator lies."""

    brain_method: Method = Field("builtin", description="used where a caller names none; nothing falls back to it")
    totalsegmentator: Path | None = Field(
        None, description="the program; unset: what `make totalsegmentator` made, else TotalSegmentator on PATH"
    )
    totalsegmentator_weights: Path | None = Field(
        None, description="folder of its models; unset: where its own downloader puts them"
    )
    totalsegmentator_sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="the only weights that are let in; each result tells theirs",
    )
    totalsegmentator_resolution: Resolution = Field(
        "3mm", description="a brain needs no more, and 1.5mm asks for six models instead of two"
    )
    totalsegmentator_device: str | None = Field(
        None,
        pattern=r"^(cpu|gpu(:\d+)?)$",
        description="unset: where the caller computes; gpu on a machine without: its CPU",
    )
    totalsegmentator_timeout_s: float = Field(
        900, gt=0, description="fifteen times what a head takes at 3 mm on two CPU cores"
    )
