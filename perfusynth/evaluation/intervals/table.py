"""The table of a bundle out of the rows of its calibration patients."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from perfusynth.errors import InputError
from perfusynth.evaluation.intervals.calibration import CalibrationSettings, groups_of, pairs_of_rows
from perfusynth.evaluation.intervals.coverage import ROW_KEYS
from perfusynth.evaluation.model_figures.case import REGIONS
from perfusynth.perfusion.notices import DIGITAL_PHANTOMS
from perfusynth.perfusion.volume_intervals import IntervalTable
from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash


def table_of_rows(
    rows: Sequence[Mapping[str, Any]], seeds: str, weights_sha256: str, settings: CalibrationSettings
) -> IntervalTable:
    """The table.

    Parameters
    ----------
    rows
        One a calibration patient (`PatientRow`).
    seeds
        Which they are, ``A:B``.
    weights_sha256
        Of the model.

    Raises
    ------
    InputError
        Code ``few_patients``.
    """
    if len(rows) < settings.patients_minimum:
        raise InputError(
            "These are too few patients to calibrate intervals on.",
            expected=f"at least {settings.patients_minimum}",
            got=str(len(rows)),
            hint="Draw more patients; a smaller number must be asked for by name.",
            code="few_patients",
        )
    pairs = pairs_of_rows(rows, ROW_KEYS)
    return IntervalTable(
        level=settings.level,
        groups={key: groups_of(*volumes, settings) for key, volumes in pairs.items() if len(volumes[0])},
        patients=len(rows),
        seeds=seeds,
        phantom_version=PHANTOM_VERSION,
        phantom_hash=parameter_hash(),
        calibrated_on=DIGITAL_PHANTOMS,
        weights_sha256=weights_sha256,
        regions=json.loads(json.dumps(asdict(REGIONS))),
    )
