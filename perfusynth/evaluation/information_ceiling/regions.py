"""Regions that a reader of an NCCT compares side by side: those of ASPECTS, and what other arteries supply.

Rules in MNI mm after the ASPECTS template; design choices, they need not follow the phantom's own territories.
"""

import numpy as np

#: Ellipsoids of deep structures: centre |x|, y, z and radii, MNI mm; the first that holds a point takes it.
DEEP = {
    "caudate": (13.0, 12.0, 11.0, 6.5, 14.0, 13.0),
    "lentiform": (26.0, 2.0, 1.0, 8.5, 17.0, 11.0),
    "thalamus": (11.0, -19.0, 7.0, 10.0, 14.0, 10.0),
    "capsule": (20.0, -8.0, 9.0, 7.0, 24.0, 13.0),
    "insula": (38.0, 2.0, 1.0, 7.0, 24.0, 17.0),
}
#: Above this z (mm) lie M4 to M6, below M1 to M3; between these y lie M5 and M2.
SUPRAGANGLIONIC_Z, ANTERIOR_Y, POSTERIOR_Y = 22.0, 12.0, -28.0
CORTICAL = ("M1", "M2", "M3", "M4", "M5", "M6")
PAIRED = (*DEEP, *CORTICAL, "ACA", "PCA", "cerebellum")
MIDLINE = "brainstem"
#: Names by label: paired regions left and right in turn (the patient's), the midline last.
NAMES = (*(f"{name} {side}" for name in PAIRED for side in ("left", "right")), MIDLINE)
#: Label of the mirrored region.
MIRROR = np.array([*(i ^ 1 for i in range(2 * len(PAIRED))), 2 * len(PAIRED)])


def region_labels(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Label (index into `NAMES`, int16) of every MNI point; the arguments broadcast against each other."""
    lateral = np.abs(x)
    shape = np.broadcast_shapes(np.shape(x), np.shape(y), np.shape(z))
    kind = np.full(shape, -1, dtype=np.int16)

    def put(name: str, where: np.ndarray) -> None:
        kind[np.broadcast_to(where, shape) & (kind < 0)] = PAIRED.index(name)

    below_tentorium = z < -(6.0 + 0.30 * lateral + 0.22 * np.maximum(-(y + 45.0), 0.0))
    stem = (lateral < 16) & (y < -8) & (y > -46) & (z < -8)
    brainstem = np.broadcast_to(stem, shape)
    put("cerebellum", below_tentorium & (y < -30))
    for name, (cx, cy, cz, rx, ry, rz) in DEEP.items():
        put(name, ((lateral - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2 < 1)
    put("PCA", (y < -(66 + 0.35 * lateral - 0.30 * z)) & (lateral < 48))
    put("PCA", (y < -16) & (z < -(8 + 0.28 * (y + 40))) & (lateral < 44))
    put("ACA", (lateral < 13 + 0.14 * np.maximum(z, 0)) & (y > -58 + 0.15 * z) & (z > -22))
    for level, names in ((z < SUPRAGANGLIONIC_Z, CORTICAL[:3]), (z >= SUPRAGANGLIONIC_Z, CORTICAL[3:])):
        put(names[0], level & (y >= ANTERIOR_Y))
        put(names[1], level & (y < ANTERIOR_Y) & (y >= POSTERIOR_Y))
        put(names[2], level & (y < POSTERIOR_Y))
    labels = (2 * kind + (np.broadcast_to(x, shape) > 0)).astype(np.int16)
    labels[brainstem] = len(NAMES) - 1
    return labels
