"""What MR sees: compartments of the brain with their relaxation, and the mixture of their signals in a voxel."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from perfusynth.phantom.lattice import BRAIN
from perfusynth.phantom.scene import Scene


@dataclass(frozen=True)
class Relaxation:
    """Proton density relative to water, and T1 and T2 at 1.5 T in ms."""

    density: float
    t1_ms: float
    t2_ms: float


#: Relaxation of each compartment at 1.5 T (textbook values, rounded [d]). ``changed_white`` is the white matter that
#: CT shows as hypodense, ``gliosis`` the rim of an old infarct and what is left in it, ``fluid`` CSF and cavities.
RELAXATION: dict[str, Relaxation] = {
    "cortex": Relaxation(0.82, 1000.0, 95.0),
    "deep_grey": Relaxation(0.80, 900.0, 85.0),
    "white": Relaxation(0.70, 650.0, 80.0),
    "changed_white": Relaxation(0.78, 950.0, 125.0),
    "gliosis": Relaxation(0.85, 1200.0, 150.0),
    "fluid": Relaxation(1.0, 4300.0, 2000.0),
}
#: Compartments that are living tissue, in which an infarct shows.
PARENCHYMA = ("cortex", "deep_grey", "white", "changed_white", "gliosis")
#: Width of the gliotic rim about an old infarct, mm [d].
GLIOSIS_RIM_MM = 3.0


@lru_cache(maxsize=2)
def compartments(scene: Scene) -> Mapping[str, np.ndarray]:
    """Fraction of each compartment of `RELAXATION` on `BRAIN`, float32 0-1; they sum to 1."""
    tissue = scene.tissue
    scar = np.maximum(tissue.lacune, tissue.old_infarct)
    halo = np.zeros(BRAIN.shape, dtype=np.float32)
    if scar.any():
        # Twice the blurred scar: what is left of the tissue inside it is gliotic, too.
        halo = np.clip(2 * ndimage.gaussian_filter(scar, GLIOSIS_RIM_MM / BRAIN.step_mm), 0, 1)
    solid = 1 - tissue.lacune
    healthy = solid * (1 - halo)
    changed = np.minimum(tissue.hypodense_white, tissue.white)
    swollen = scene.haemodynamics.swelling * (tissue.csf - tissue.ventricle)  # cortex that fills sulci
    return {
        "cortex": tissue.grey * (1 - tissue.deep_grey) * healthy + swollen * solid,
        "deep_grey": tissue.grey * tissue.deep_grey * healthy,
        "white": (tissue.white - changed) * healthy,
        "changed_white": changed * healthy,
        "gliosis": (1 - tissue.csf) * solid * halo,
        "fluid": (tissue.csf - swollen) * solid + tissue.lacune,
    }


def mixed(scene: Scene, signals: Mapping[str, float], lesion: Mapping[str, np.ndarray]) -> np.ndarray:
    """Signal on `BRAIN` of compartments that share voxels, float32.

    Parameters
    ----------
    signals
        Signal of each compartment when healthy.
    lesion
        Factor on the signal of the compartments of `PARENCHYMA` inside the infarct, at the voxels of
        `lesion_voxels`, ``(n,)``.
    """
    parts = compartments(scene)
    total = np.zeros(BRAIN.shape, dtype=np.float32)
    for name, signal in signals.items():
        total += np.float32(signal) * parts[name]
    at = lesion_voxels(scene)
    share = scene.haemodynamics.core[at]
    for name, factor in lesion.items():
        total[at] += np.float32(signals[name]) * parts[name][at] * share * (factor - 1)
    return total * (1 - scene.tissue.calcification)  # chalk gives no signal


def lesion_voxels(scene: Scene) -> tuple[np.ndarray, ...]:
    """Index on `BRAIN` of the voxels that the infarct touches."""
    return np.nonzero(scene.haemodynamics.core > 0)
