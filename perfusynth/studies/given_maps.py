"""Maps that another program made: which map an image is, and its numbers in our units."""

import re
from collections.abc import Iterable, Mapping

import numpy as np

from perfusynth.ctp_maps.plausible_maps import check_maps
from perfusynth.errors import InputError
from perfusynth.volumes.volume import Volume

#: Maps of a case folder.
MAPS = ("tmax", "cbf", "cbv", "mtt")
#: How image types and descriptions name them (PS3.3 C.8.16.1.3: RCBF is regional, not relative, flow).
NAMES = {
    "tmax": re.compile(r"(^|[^a-z])t[\s_-]?max|time to max", re.IGNORECASE),
    "cbf": re.compile(r"(^|[^a-z])r?cbf([^a-z]|$)|cerebral blood flow", re.IGNORECASE),
    "cbv": re.compile(r"(^|[^a-z])r?cbv([^a-z]|$)|cerebral blood volume", re.IGNORECASE),
    "mtt": re.compile(r"(^|[^a-z])mtt([^a-z]|$)|mean transit time", re.IGNORECASE),
}
#: What stands in the name of a mask ("Tmax > 6s", "rCBF<30%"), which is no map; and what `map_named` says of one.
MASK_SIGNS, MASK = re.compile(r"[<>%]"), "mask"
#: A vendor's map of which less than this share of the voxels is not 0 is no map. [d]
LEAST_FILLED = 1e-3


def map_named(texts: Iterable[str]) -> str | None:
    """Which map texts of a header name, or `MASK`; None where they name none, or several."""
    texts = list(texts)
    found = {name for name, words in NAMES.items() for text in texts if words.search(text)}
    if found and any(MASK_SIGNS.search(text) for text in texts):
        return MASK
    return found.pop() if len(found) == 1 else None


def as_map(volume: Volume, name: str) -> Volume:
    """A map without what programs write where they measured nothing: values below 0 become 0.

    Raises
    ------
    InputError
        Code ``empty_map``.
    """
    array = np.maximum(volume.array, 0)
    if np.count_nonzero(array) < LEAST_FILLED * array.size:
        raise InputError(
            f"The {name} map is empty.",
            expected="a map with a brain in it",
            got=f"{np.count_nonzero(array)} voxels above 0",
            hint="Export the map again.",
            code="empty_map",
        )
    return volume.with_array(array)


def check_given(maps: Mapping[str, Volume]) -> None:
    """Refuse maps that are incomplete or not in our units.

    Raises
    ------
    InputError
        Code ``no_tmax``, ``no_cbf``; as of `check_maps`.
    """
    for name in ("tmax", "cbf"):
        if name not in maps:
            raise InputError(
                f"There is no {name} map.",
                expected="tmax and cbf, as numbers",
                got=", ".join(maps) or "no map",
                hint="Export the maps as numbers; colour pictures are read by `perfusynth colours` one by one.",
                code=f"no_{name}",
            )
    tmax, cbf = (maps[name].array for name in ("tmax", "cbf"))
    alike = tmax.shape == cbf.shape
    check_maps(tmax[(tmax > 0) | (cbf > 0)] if alike else tmax[tmax > 0], cbf[cbf > 0])
