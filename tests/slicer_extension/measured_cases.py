"""Maps, and what the server's own code says of them: the truth that the extension's numbers are held against."""

import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
from PerfuSynthLib.facts import Facts, reading_of
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.measurer import Measurer
from scipy import ndimage

from perfusynth.perfusion.measurements import Measurements
from perfusynth.perfusion.notices import notices_for
from perfusynth.perfusion.region_blocks import region_blocks
from perfusynth.perfusion.regions import Regions, RegionSettings, measure_regions
from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.volume import Volume

PHANTOM = Path(__file__).parents[2] / "sample-data" / "phantom-4000020"

WEIGHTS = "cd6801ab" * 8
INPUT = "8294b3f3" * 8

#: What a document says beside the regions.
FIELDS = {
    "origin": "synthetic",
    "notices": notices_for("synthetic", "digital phantoms"),
    "validated_on": "digital phantoms",
    "model": {
        "task": "ncct_perfusion",
        "name": "ncct_perfusion_compact",
        "version": "0.1.0",
        "weights_sha256": WEIGHTS,
        "family": "turbo",
    },
    "software": {"version": "0.1.0"},
    "input": {
        "sha256": INPUT,
        "kind": "nifti",
        "shape": (512, 512, 32),
        "spacing_mm": (0.488, 0.488, 5.0),
        "resampled": False,
        "is_phantom": True,
    },
}

#: A midplane as the server finds it in a head that is turned a little.
TURNED = Midplane(np.array([4.4, -5.1, -0.5]), np.array([0.997044, 0.055441, 0.053188]))


class Maps(NamedTuple):
    """Maps of one head, s and mL/100 g/min, and its brain."""

    tmax: GridVolume
    cbf: GridVolume
    brain: GridVolume


class Case(NamedTuple):
    """Maps, the server's regions on them, the server's document, and what the extension reads in it."""

    maps: Maps
    regions: Regions
    document: dict
    facts: Facts


def server_case(maps: Maps, settings: RegionSettings | None = None, midplane=TURNED, **blocks) -> Case:
    """What the server measures on ``maps`` and writes down; ``blocks`` are added to its document."""
    regions = server_regions(maps, settings, midplane)
    document = json.loads(Measurements(**region_blocks(regions, midplane), **{**FIELDS, **blocks}).as_json())
    return Case(maps, regions, document, reading_of(document))


def server_regions(maps: Maps, settings: RegionSettings | None = None, midplane=TURNED) -> Regions:
    """The server's regions on ``maps``."""
    tmax, cbf = (Volume(volume.array, volume.affine) for volume in (maps.tmax, maps.cbf))
    return measure_regions(tmax, cbf, maps.brain.array != 0, midplane, settings)


def measurer_of(case: Case) -> Measurer:
    """The extension's measurer, as it is made from a result."""
    facts = case.facts
    return Measurer(*case.maps, facts.midplane, facts.normal_cbf, facts.settings)


def phantom_maps() -> Maps:
    """The shipped phantom's maps as deconvolution measures them: 256 x 256 x 32, a deficit on one side."""
    tmax, cbf = (nib.load(PHANTOM / f"{name}.nii.gz") for name in ("tmax", "cbf"))
    arrays = [np.asarray(image.dataobj, np.float32) for image in (tmax, cbf)]
    brain = (arrays[1] > 0).astype(np.uint8)
    return Maps(*(GridVolume(array, tmax.affine) for array in (*arrays, brain)))


@lru_cache
def random_maps(seed: int) -> Maps:
    """Rough maps on an oblique, uneven grid of any axis order and direction: a deficit, and crumbs of all sizes."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers([36, 36, 6], [64, 64, 24]))
    spacing = np.array([rng.uniform(1.5, 3), rng.uniform(1.5, 3), rng.uniform(3, 7)])
    order = rng.permutation(3)
    affine = oblique_affine(rng, shape, spacing)
    smooth = [ndimage.gaussian_filter(rng.normal(size=shape), 5 / spacing) for _ in range(2)]
    tmax, cbf = (field / field.std() for field in smooth)
    position = [np.linspace(-1, 1, n) for n in shape]
    radius = sum(p**2 for p in np.meshgrid(*position, indexing="ij"))
    brain = radius < 0.85
    place = rng.uniform(-0.4, 0.4, 3)
    deficit = np.exp(-4 * sum((p - c) ** 2 for p, c in zip(np.meshgrid(*position, indexing="ij"), place, strict=True)))
    tmax = np.where(brain, np.clip(3 + 2 * tmax + 8 * deficit, 0.1, 16), 0).astype(np.float32)
    cbf = np.where(brain, np.clip(40 + 14 * cbf - 30 * deficit, 0.1, 100), 0).astype(np.float32)
    reordered = affine[:, [*order, 3]]
    return Maps(*(GridVolume(np.transpose(a, order), reordered) for a in (tmax, cbf, brain.astype(np.uint8))))


def oblique_affine(rng: np.random.Generator, shape, spacing: np.ndarray) -> np.ndarray:
    """A turned grid with flipped axes, its centre near the origin of the RAS frame."""
    turn, _ = np.linalg.qr(np.eye(3) + rng.uniform(-0.25, 0.25, (3, 3)))
    turn = turn * rng.choice([-1, 1], 3)
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine
