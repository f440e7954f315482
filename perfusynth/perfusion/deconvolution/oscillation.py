"""Block-circulant SVD with a threshold of its own for each voxel: the least that keeps the oscillation low (oSVD)."""

import numpy as np
import torch

from perfusynth.perfusion.deconvolution.inverse import Circulant
from perfusynth.perfusion.deconvolution.settings import DeconvolutionSettings

#: Thresholds that are tried after the least, rising; the last is taken where none is quiet enough (Wu et al. step
#: finely through 0-95 %; with frames over 60 s these differ by a frequency or two).
LADDER = (0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 0.9)

#: Distance of the samples between which oscillation is measured, s, whatever the frame interval: the index grows with
#: it, and 0.035 to 0.1 were found at about this.
OSCILLATION_STEP_S = 1.0


class OscillationLimited:
    """Residue functions by the quietest truncation that each voxel needs.

    Parameters
    ----------
    aif
        Arterial input, HU, ``(frames,)``.
    dt_s
        Frame interval, s.
    settings
        The oscillation that is accepted, and the least threshold.
    lags_s
        Lags at which residue functions are wanted, s.
    """

    def __init__(
        self, aif: np.ndarray, dt_s: float, settings: DeconvolutionSettings, lags_s: np.ndarray, device: torch.device
    ):
        self.limit = settings.oscillation
        whole = np.arange(0, 2 * len(aif) * dt_s, OSCILLATION_STEP_S)
        circulant = Circulant(aif, dt_s)
        shares = (settings.least_threshold, *(share for share in LADDER if share > settings.least_threshold))
        masks = list({kept.tobytes(): kept for kept in (circulant.above(share) for share in shares)}.values())
        self.steps = [
            tuple(
                torch.as_tensor(circulant.inverse(kept, lags).T.copy(), dtype=torch.float32, device=device)
                for lags in (whole, lags_s)
            )
            for kept in masks
        ]

    def __call__(self, curves: torch.Tensor) -> torch.Tensor:
        """Residue functions ``(n, lags)`` of curves ``(n, frames)``.

        Between the last step that oscillates too much and the first that does not, the functions are mixed so that the
        index would be the limit: steps would else show as jumps of flow.
        """
        result = curves.new_empty((len(curves), self.steps[0][1].shape[1]))
        left = torch.arange(len(curves), device=curves.device)
        before = before_index = curves.new_empty(0)
        for k, (whole, wanted) in enumerate(self.steps):
            own = curves if k == 0 else curves[left]
            index, residues = oscillation_index(own @ whole), own @ wanted
            quiet = index < self.limit
            if k == len(self.steps) - 1:
                quiet = torch.ones_like(quiet)
            found = residues[quiet]
            if k > 0:
                above, below = before_index[quiet], index[quiet]
                share = ((self.limit - below) / (above - below).clamp_min(1e-9)).clamp(0, 1)[:, None]
                found = torch.lerp(found, before[quiet], share)
            result[left[quiet]] = found
            left, before, before_index = left[~quiet], residues[~quiet], index[~quiet]
            if not len(left):
                break
        return result


def oscillation_index(residues: torch.Tensor) -> torch.Tensor:
    """Oscillation index of residue functions ``(n, samples)``: mean bend over the largest value (Wu et al., eq. 9)."""
    bend = torch.diff(residues, n=2, dim=1).abs().sum(dim=1)
    return bend / (residues.shape[1] * residues.amax(dim=1).clamp_min(torch.finfo(residues.dtype).tiny))
