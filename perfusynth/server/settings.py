"""Every limit of the server, with its default and the reason for it; environment variables ``PERFUSYNTH_<NAME>``."""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from perfusynth.environment_settings import EnvironmentSettings

MIB = 1024**2
GIB = 1024**3


class Settings(EnvironmentSettings):
    """Settings of one server process; immutable while it runs."""

    devices: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], NoDecode] = Field(
        default=("auto",),
        min_length=1,
        description="One worker process a device; auto takes the first GPU, or the CPU where there is none.",
    )
    work_dir: Path | None = Field(
        default=None,
        description="Parent of the private folder of each run; unset: a folder of this user's in the temp folder.",
    )

    tls_elsewhere: bool = Field(
        default=False,
        description="A proxy in front ends TLS; otherwise tokens from other machines are taken over TLS only.",
    )

    max_upload_bytes: int = Field(
        default=GIB,
        gt=0,
        description="A 0.5 mm head CT of 512x512x400 is 0.2 GiB; five times that is still no mistake.",
    )
    max_body_bytes: int = Field(default=MIB, gt=0, description="Bodies that carry no image: options, label info.")
    max_field_bytes: int = Field(
        default=64 * 1024, gt=0, description="One text part of a form; options take a few hundred."
    )
    upload_idle_s: float = Field(
        default=60, gt=0, description="An upload that stalls for longer is given up; it holds a connection and space."
    )
    max_parts: int = Field(default=16, gt=0, description="A request has one part a modality and its options.")
    max_query_bytes: int = Field(
        default=2048, gt=0, description="Ids and tags; longer queries are attacks or mistakes."
    )
    min_free_bytes: int = Field(
        default=2 * GIB, ge=0, description="Uploads are refused below this: a full disk would break running jobs."
    )

    max_queue: int = Field(
        default=32, gt=0, description="At 10 s a job on a CPU the last waits 5 minutes; more callers come back later."
    )
    max_jobs_per_user: int = Field(default=8, gt=0, description="Queued and running; one user cannot fill the queue.")
    max_results_per_user: int = Field(
        default=64, gt=0, description="The oldest result goes first; 64 maps are about 2 GiB."
    )
    max_sessions_per_user: int = Field(default=16, gt=0, description="Sessions hold whole images on disk.")
    retry_after_s: int = Field(default=10, gt=0, description="About one job on two CPU cores.")
    result_ttl_s: float = Field(default=3600, gt=0, description="Long enough to fetch; patient data does not stay.")
    session_ttl_s: float = Field(default=3600, gt=0, description="As MONAI Label's own default.")
    job_timeout_s: float = Field(
        default=600,
        gt=0,
        description="60 times the time on two CPU cores; what is longer hangs, its worker is replaced.",
    )
    cancel_grace_s: float = Field(default=2, ge=0, description="A cancelled job's worker is killed after this.")
    load_timeout_s: float = Field(
        default=300, gt=0, description="Cold imports and weights from a network disk take a minute."
    )
    attempts: int = Field(default=2, gt=0, description="A job whose worker died is tried once more, then it fails.")

    registration_lease_s: float = Field(
        default=1800,
        gt=0,
        description="A case that an annotator has open is not given to another; the hardest one takes minutes.",
    )

    training_device: str = Field(
        default="auto", description="Where training runs compute; they share it with the workers, at a lower priority."
    )
    training_stop_s: float = Field(
        default=60, gt=0, description="A stopped run ends its step and writes a checkpoint; a slow disk takes a while."
    )
    training_close_s: float = Field(
        default=10, gt=0, description="The same when the server stops, which service managers give 30 s or more."
    )

    registry_scan_s: float = Field(
        default=2, gt=0, description="A promoted model is noticed after this long; one stat() each time."
    )
    image_scan_s: float = Field(
        default=10, ge=0, description="New files in the studies folder are seen after this long."
    )
    worker_stderr: bool = Field(
        default=False, description="Show what libraries print in workers; off, as they name files. For debugging."
    )
    keep_log_lines: int = Field(default=1000, gt=0, description="What GET /logs/ shows to an admin.")

    @field_validator("devices", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        """``cpu``, ``cuda:0,cuda:1``, or a JSON list."""
        if not isinstance(given, str):
            return given
        if not given.lstrip().startswith("["):
            return [name.strip() for name in given.split(",")]
        try:
            return json.loads(given)
        except ValueError:
            raise ValueError("a name, or a list like cuda:0,cuda:1") from None
