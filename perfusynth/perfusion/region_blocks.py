"""The blocks of ``measurements.json`` that come from the regions."""

import json
from dataclasses import asdict
from typing import Any

from perfusynth.perfusion.regions import Regions, RegionSettings
from perfusynth.volumes.brain import Midplane


def threshold_key(threshold_s: float) -> str:
    """Key of a Tmax threshold in the document: ``6.0`` is ``"6"``."""
    return f"{threshold_s:g}"


def region_blocks(regions: Regions, midplane: Midplane | None) -> dict[str, Any]:
    """Keyword arguments of `Measurements` that ``regions`` and ``midplane`` determine."""
    core = None
    if regions.core_ml is not None:
        core = {
            "ml": regions.core_ml,
            "threshold_fraction": regions.settings.core_fraction,
            "threshold_cbf": regions.core_cbf,
            "normal_cbf": regions.normal_cbf,
            "method": core_method(regions.settings),
        }
    return {
        "volumes_ml": {threshold_key(threshold): ml for threshold, ml in regions.tmax_ml.items()},
        "core": core,
        "mismatch_ml": regions.mismatch_ml,
        "mismatch_ratio": regions.mismatch_ratio,
        "mismatch_ratio_infinite": regions.mismatch_ratio_infinite,
        "hir": regions.hir,
        "laterality": None if regions.laterality is None else asdict(regions.laterality),
        "brain_ml": regions.brain_ml,
        "midplane": None
        if midplane is None
        else {"point": midplane.point.tolist(), "normal": midplane.normal.tolist()},
        "settings": json.loads(json.dumps(asdict(regions.settings))),
    }


def core_method(settings: RegionSettings) -> str:
    """The core's definition in words."""
    reference = {
        "normal_tissue": f"normal tissue (median CBF where Tmax < {settings.normal_tmax_s:g} s)",
        "contralateral": "the contralateral hemisphere (its median CBF)",
    }[settings.core_reference]
    return f"rCBF < {settings.core_fraction:.0%} of {reference}, inside Tmax > {settings.hypoperfusion_s:g} s"
