"""Calibrated intervals of volumes: the table of a bundle, the ends that it gives, and when they are withheld.

The table is made by `perfusynth.evaluation.intervals`: split-conformal, one group of predicted volumes at a time.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from perfusynth.errors import InputError
from perfusynth.perfusion.document_types import Sha256
from perfusynth.perfusion.notices import NOT_VALID_FOR_PATIENTS, notices_for

#: The table's place in a bundle.
INTERVALS_FILE = Path("configs") / "intervals.json"
#: Key of the core estimate, beside the Tmax thresholds.
CORE = "core"

#: Why a result has no intervals.
NO_TABLE = "This model has no calibrated intervals."
OTHER_WEIGHTS = "The intervals were calibrated with other weights than this model's."
OTHER_REGIONS = "The intervals were calibrated with other settings of the regions."
NOT_A_PHANTOM = "The intervals were calibrated on simulated patients; they are not valid for this patient."
UNUSUAL_INPUT = "The input is unlike the patients on whom the intervals were calibrated."


class VolumeGroup(BaseModel):
    """Predicted volumes above ``above_ml``, up to the next group's, and the interval's ends there.

    ``low`` and ``high`` are added to the square root of the predicted volume; the square is the end in mL. A group
    that holds predictions of 0 mL alone gives the interval from 0 to ``high`` squared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    above_ml: float = Field(description="-1 in the group that holds predictions of 0 mL")
    low: float
    high: float
    patients: int = Field(ge=1, description="calibration patients in the group")

    @model_validator(mode="after")
    def _ordered(self) -> "VolumeGroup":
        if self.low > self.high:
            raise ValueError(f"expected low <= high, got {self.low} and {self.high}")
        return self

    def ends_ml(self, predicted_ml: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both ends, mL, of predicted volumes (mL) that lie in the group."""
        root = np.sqrt(predicted_ml)
        low, high = (np.maximum(root + offset, 0) ** 2 for offset in (self.low, self.high))
        return low, high


class IntervalTable(BaseModel):
    """``configs/intervals.json``: intervals by threshold (``4, 6, 8, 10`` s of Tmax, ``core``) and predicted volume.

    Parameters
    ----------
    level
        Share of patients whose own volume lies inside.
    groups
        By threshold, ascending in predicted volume; the first holds predictions of 0 mL.
    patients, seeds
        How many digital patients it was calibrated on, and which (``A:B``, B not included).
    phantom_version, phantom_hash
        Which phantom they are of.
    calibrated_on
        As a model's ``validated_on``.
    weights_sha256
        The weights that made the predictions; the table serves no others.
    regions
        Thresholds and clean-up of the volumes (`RegionSettings`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    level: float = Field(gt=0, lt=1)
    groups: dict[str, list[VolumeGroup]]
    patients: int = Field(ge=1)
    seeds: str
    phantom_version: str
    phantom_hash: Sha256
    calibrated_on: str
    weights_sha256: Sha256
    regions: dict[str, Any]

    @model_validator(mode="after")
    def _ascending(self) -> "IntervalTable":
        for key, groups in self.groups.items():
            edges = [group.above_ml for group in groups]
            if not groups or edges[0] >= 0 or edges != sorted(set(edges)):
                raise ValueError(f"expected groups of {key} that begin below 0 mL and ascend, got {edges}")
        return self

    def ends_ml(self, key: str, predicted_ml: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends, mL, of predicted volumes (mL, any shape) of a threshold."""
        predicted = np.asarray(predicted_ml, dtype=float)
        groups = self.groups[key]
        which = np.searchsorted([group.above_ml for group in groups], predicted, side="left") - 1
        low, high = np.empty(predicted.shape), np.empty(predicted.shape)
        for number, group in enumerate(groups):
            here = which == number
            low[here], high[here] = group.ends_ml(predicted[here])
        return low, high

    def group_of(self, key: str, predicted_ml: np.ndarray) -> np.ndarray:
        """Number of the group in which each predicted volume (mL) of a threshold lies."""
        edges = [group.above_ml for group in self.groups[key]]
        return np.searchsorted(edges, np.asarray(predicted_ml, dtype=float), side="left") - 1


def read_intervals(bundle: Path) -> IntervalTable | None:
    """The table of a bundle's folder; None where it has none.

    Raises
    ------
    InputError
        Code ``bad_intervals``.
    """
    path = bundle / INTERVALS_FILE
    if not path.exists():
        return None
    try:
        return IntervalTable.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as fault:
        raise InputError(
            f"The intervals of {bundle.name} cannot be read.",
            expected=f"{INTERVALS_FILE.as_posix()} as `perfusynth calibrate` writes it",
            got=f"{type(fault).__name__} while reading it",
            hint="Calibrate the bundle again, or remove the file: results then have no intervals.",
            code="bad_intervals",
        ) from None


def intervals_block(
    table: IntervalTable | None,
    volumes_ml: Mapping[str, float],
    *,
    weights_sha256: str,
    regions: Mapping[str, Any],
    validated_on: str,
    is_phantom: bool,
    is_unusual: bool,
) -> dict[str, Any]:
    """The block ``intervals`` of ``measurements.json``: level and ends, or why they are withheld.

    Parameters
    ----------
    table
        Of the model's bundle.
    volumes_ml
        By threshold, as measured on the made maps, with `CORE` where there is a core.
    weights_sha256, validated_on
        Of the model.
    regions
        Settings with which the volumes were measured, as plain values.
    is_phantom
        Whether the input is a digital patient of this project.
    is_unusual
        Whether the input lies beyond the limit of the out-of-domain score.
    """
    if table is None:
        return {"withheld": NO_TABLE}
    if table.weights_sha256 != weights_sha256:
        return {"withheld": OTHER_WEIGHTS}
    simulated = any(
        NOT_VALID_FOR_PATIENTS in notices_for("synthetic", on) for on in (validated_on, table.calibrated_on)
    )
    if simulated and not is_phantom:
        return {"withheld": NOT_A_PHANTOM}
    if is_unusual:
        return {"withheld": UNUSUAL_INPUT}
    if table.regions != regions:
        return {"withheld": OTHER_REGIONS}
    ends = {
        key: tuple(float(end) for end in table.ends_ml(key, np.array(ml)))
        for key, ml in volumes_ml.items()
        if key in table.groups
    }
    core = ends.pop(CORE, None)
    return {"level": table.level, "volumes_ml": ends, "core_ml": core}
