"""What is true of a digital patient on a grid that his head was moved on: tissue, Tmax, and which vessel a voxel holds.

A point of maps that lie where the head was in frame r is the point ``inv(T_r) x`` of the head at rest.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from perfusynth.evaluation.realism.perfusion_figures import DEFICIT_MARGIN_MM, NORMAL_TMAX_S
from perfusynth.evaluation.realism.views import View
from perfusynth.perfusion.regions import RegionSettings
from perfusynth.phantom.ctp.kinetics import Bolus, bolus_of
from perfusynth.phantom.ctp.maps import CSF_MASK_SHARE, MeasuredMaps, measured_maps
from perfusynth.phantom.ctp.protocols import Protocol, native_ctp_grid
from perfusynth.phantom.ctp.vessels import vessel_curves
from perfusynth.phantom.scene import Scene

#: Tmax above which tissue is hypoperfused, s.
HYPOPERFUSION_S = RegionSettings().hypoperfusion_s
#: Least share of a voxel that a vessel's blood fills for the voxel to lie in that vessel; the project's own choice,
#: for slices thicker than arteries.
VESSEL_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Truth:
    """Of one patient on one grid, arrays ``(x, y, z)``.

    Parameters
    ----------
    tissue
        bool: brain, with less CSF than maps hide.
    tmax
        Tmax that follows from the simulated delay, transit and dispersion, s.
    measured
        The maps that the phantom itself measures there, without motion and with the true arterial input.
    open, behind, venous
        bool: voxels that lie in an artery that fills in time, in one behind a clot, in a vein.
    bolus
        True arterial and venous curves, HU.
    """

    tissue: np.ndarray
    tmax: np.ndarray
    measured: MeasuredMaps
    open: np.ndarray
    behind: np.ndarray
    venous: np.ndarray
    bolus: Bolus
    spacing_mm: np.ndarray

    @property
    def deficit(self) -> np.ndarray:
        """Hypoperfused tissue, bool."""
        return self.tissue & (self.tmax > HYPOPERFUSION_S)

    @property
    def healthy(self) -> np.ndarray:
        """Brain (fluid with it) so far from any deficit that no smoothing carries it there, bool."""
        return ndimage.distance_transform_edt(self.tmax < NORMAL_TMAX_S, sampling=self.spacing_mm) > DEFICIT_MARGIN_MM


def truth_of(scene: Scene, protocol: Protocol, transform: np.ndarray) -> Truth:
    """The truth on a protocol's own grid while the head lies at ``transform`` (4x4, RAS mm, from the head at rest)."""
    grid = native_ctp_grid(scene.patient, protocol).moved(np.linalg.inv(transform))
    view = View(scene, grid)
    bolus = bolus_of(scene.patient.circulation, protocol.duration_s)
    vessels = vessel_curves(scene, grid, bolus)
    shares = np.zeros((3, int(np.prod(grid.shape))), dtype=np.float32)
    shares[:, vessels.at] = vessels.open, vessels.behind, vessels.venous
    kind = np.where(shares.max(axis=0) >= VESSEL_SHARE, shares.argmax(axis=0), -1).reshape(grid.shape)
    return Truth(
        tissue=view.grey + view.white > 1 - CSF_MASK_SHARE,
        tmax=view.tmax,
        measured=measured_maps(scene, grid, protocol, scene.patient.seed),
        open=kind == 0,
        behind=kind == 1,
        venous=kind == 2,
        bolus=bolus,
        spacing_mm=grid.spacing,
    )
