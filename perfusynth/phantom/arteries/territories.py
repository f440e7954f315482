"""Vascular territories as simple soft-bordered rules in MNI coordinates, with borders that vary between patients.

Each rule gives a signed distance-like score in mm; territories compete by a softmax of their scores. The rules are
design choices after anatomical atlases of supratentorial and infratentorial territories.
"""

import numpy as np

from perfusynth.phantom.lattice import BRAIN_COARSE, smooth_field, stream
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.stroke.traits import Site

#: Width of the soft border between territories, mm.
BORDER_MM = 3.0
#: SD and smoothness of the patient's displacement of borders, mm; SD of the whole shift of one border, mm.
BORDER_SHIFT_MM, BORDER_SIGMA_MM, TERRITORY_SHIFT_MM = 5.0, 14.0, 3.0
#: Lenticulostriate territory: centre |x|, y, z and radii, MNI mm.
STRIATUM = (23.0, 4.0, 6.0, 13.0, 23.0, 16.0)
#: Thalamus and midbrain supplied by the P1 and P2 segments.
THALAMUS = (10.0, -18.0, 5.0, 13.0, 15.0, 13.0)
NAMES = ("MCA-sup", "MCA-inf", "LSA", "ACA", "PCA", "posterior fossa")
#: What an occlusion of each site may reach, with the share of the territory's severity.
REACH: dict[str, dict[str, float]] = {
    "ICA": {"MCA-sup": 1.0, "MCA-inf": 1.0, "LSA": 0.9, "ACA": 0.6},
    "M1": {"MCA-sup": 1.0, "MCA-inf": 1.0, "LSA": 0.85},
    "M2-sup": {"MCA-sup": 1.0},
    "M2-inf": {"MCA-inf": 1.0},
    "A2": {"ACA": 1.0},
    "P2": {"PCA": 1.0},
    "basilar": {"posterior fossa": 1.0, "PCA": 0.6},
}


def _ellipsoid(x: np.ndarray, y: np.ndarray, z: np.ndarray, shape: tuple[float, ...]) -> np.ndarray:
    cx, cy, cz, rx, ry, rz = shape
    radius = np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2)
    return (1 - radius) * min(rx, ry, rz)


def territories(patient: Patient) -> dict[str, np.ndarray]:
    """Membership 0-1 on `BRAIN_COARSE` of each of `NAMES`, both hemispheres together; they sum to 1."""
    rng = stream(patient.seed, "territories")
    x, y, z = (
        axis + BORDER_SHIFT_MM * smooth_field(rng, BRAIN_COARSE, BORDER_SIGMA_MM) for axis in BRAIN_COARSE.axes()
    )
    shift = TERRITORY_SHIFT_MM * rng.standard_normal(8)
    lateral = np.abs(x)

    tentorium = -(z + 6.0 + 0.30 * lateral + 0.22 * np.maximum(-(y + 45), 0))  # > 0 below
    fossa = np.minimum(tentorium, -(y + 30) + 0.0 * z)
    brainstem = np.minimum.reduce([16 - lateral, -(y + 6) + 0.0 * z, -(z + 6)])
    fossa = np.maximum(fossa, brainstem)
    # Medial strip from the frontal pole to the parieto-occipital sulcus, broader towards the vertex.
    aca = np.minimum(13 + 0.14 * np.maximum(z, 0) + shift[0] - lateral, 0.8 * (y + 58 - 0.15 * z))
    aca = np.minimum(aca, z + 22)
    # Occipital lobe behind the parieto-occipital sulcus, and the inferior temporal surface.
    occipital = np.minimum(-(y + 66 + 0.35 * lateral - 0.30 * z) + shift[1], 52 - lateral - 0.5 * z)
    temporal = np.minimum.reduce([-(y + 16), -(z + 8 + 0.28 * (y + 40)) + shift[2], 46 - lateral])
    pca = np.maximum.reduce([occipital, temporal, _ellipsoid(lateral, y, z, THALAMUS) + shift[3]])
    striatum = _ellipsoid(lateral, y, z, STRIATUM) + shift[4]
    sylvian = z + 8 + 0.52 * (y - 20) + shift[5]  # > 0 above and in front of the Sylvian fissure
    scores = {
        "MCA-sup": np.clip(sylvian, -8, 8) * 0.5,
        "MCA-inf": np.clip(-sylvian, -8, 8) * 0.5,
        "LSA": np.minimum(2 * striatum, 20) + 2,
        "ACA": np.clip(aca, -30, 20) + 3,
        "PCA": np.clip(pca, -30, 20) + 3,
        "posterior fossa": np.clip(3 * fossa, -40, 60) + 5,
    }
    stacked = np.stack([scores[name] for name in NAMES]).astype(np.float32) / np.float32(BORDER_MM)
    stacked = np.exp(stacked - stacked.max(axis=0))
    stacked /= stacked.sum(axis=0)
    return dict(zip(NAMES, stacked, strict=True))


def hemisphere(patient: Patient) -> np.ndarray:
    """Soft share 0-1 on `BRAIN_COARSE` that lies on the patient's RIGHT (x > 0 in RAS)."""
    x, _, _ = BRAIN_COARSE.axes()
    right = 0.5 * (1 + np.tanh(x / np.float32(1.6)))
    return np.broadcast_to(right, BRAIN_COARSE.shape).astype(np.float32)


def reach(patient: Patient, site: Site) -> np.ndarray:
    """Share 0-1 on `BRAIN_COARSE` of what an occlusion of ``site`` on the patient's side can reach."""
    parts = territories(patient)
    total = np.zeros(BRAIN_COARSE.shape, dtype=np.float32)
    for name, share in REACH[site].items():
        total += np.float32(share) * parts[name]
    right = hemisphere(patient)
    if patient.stroke.side == "right":
        total *= right
    elif patient.stroke.side == "left":
        total *= 1 - right
    return total
