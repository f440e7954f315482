"""Thresholds and clean-up that a result was measured with, as ``settings`` in its ``measurements.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from . import constants


class RegionSettings(NamedTuple):
    """Thresholds and clean-up; the sources of the defaults stand in `constants`.

    Attributes
    ----------
    tmax_thresholds_s
        Regions are Tmax strictly greater than each, s, ascending.
    hypoperfusion_s, severe_s
        The threshold that stands for hypoperfusion, and the numerator of the HIR, s; both among the thresholds.
    core_fraction, core_reference
        Core where CBF is strictly below this fraction of that of ``normal_tissue`` or of the ``contralateral`` half.
    normal_tmax_s
        Tissue with a shorter Tmax counts as normal, s.
    clip_percentiles
        Written down by the server; a median does not depend on it.
    ball_voxels, minimum_ml, core_minimum_ml
        Clean-up, see `cleaning.clean`; the sizes are those of the smallest component kept, mL.
    side_share
        Share of the hypoperfusion that names a side.
    """

    tmax_thresholds_s: tuple[float, ...] = constants.TMAX_THRESHOLDS_S
    hypoperfusion_s: float = constants.HYPOPERFUSION_S
    severe_s: float = constants.SEVERE_S
    core_fraction: float = constants.CORE_FRACTION
    core_reference: str = constants.NORMAL_TISSUE
    normal_tmax_s: float = constants.NORMAL_TMAX_S
    clip_percentiles: tuple[float, float] = constants.CLIP_PERCENTILES
    ball_voxels: float = constants.BALL_VOXELS
    minimum_ml: float = constants.MINIMUM_ML
    core_minimum_ml: float = constants.CORE_MINIMUM_ML
    side_share: float = constants.SIDE_SHARE


def settings_of(document: Mapping[str, Any]) -> RegionSettings:
    """Settings out of the block ``settings``; what it does not hold keeps its default, what is unknown is ignored.

    Raises
    ------
    ValueError
        A value cannot be used: the volumes would be others than the server's.
    """
    values: dict[str, Any] = {}
    for name, default in RegionSettings()._asdict().items():
        if name not in document:
            continue
        value = document[name]
        if isinstance(default, tuple):
            values[name] = tuple(float(number) for number in value)
        else:
            values[name] = str(value) if isinstance(default, str) else float(value)
    settings = RegionSettings(**values)
    _check(settings)
    return settings


def _check(settings: RegionSettings) -> None:
    thresholds = settings.tmax_thresholds_s
    if not thresholds or list(thresholds) != sorted(set(thresholds)) or not thresholds[0] > 0:
        raise ValueError(f"expected ascending positive Tmax thresholds in s, got {thresholds}")
    for name in ("hypoperfusion_s", "severe_s"):
        if getattr(settings, name) not in thresholds:
            raise ValueError(f"expected {name} among {thresholds}, got {getattr(settings, name)}")
    if settings.core_reference not in (constants.NORMAL_TISSUE, constants.CONTRALATERAL):
        raise ValueError(f"expected a known core_reference, got {settings.core_reference!r}")
    if not 0 < settings.core_fraction < 1 or not 0.5 < settings.side_share <= 1:
        raise ValueError("expected 0 < core_fraction < 1 and 0.5 < side_share <= 1")
    if not min(settings.ball_voxels, settings.minimum_ml, settings.core_minimum_ml) >= 0:
        raise ValueError("expected sizes of the clean-up that are not negative")
