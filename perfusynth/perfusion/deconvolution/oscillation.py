"""Block-circulant SVD with a threshold of its own for each voxel: the least that keeps the oscillation low (oSVD)."""

from collections.abc import Iterator

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
        self.samples = len(whole)
        circulant = Circulant(aif, dt_s)
        shares = (settings.least_threshold, *(share for share in LADDER if share > settings.least_threshold))
        masks = list({kept.tobytes(): kept for kept in (circulant.above(share) for share in shares)}.values())

        def on_device(matrix: np.ndarray) -> torch.Tensor:
            return torch.as_tensor(np.ascontiguousarray(matrix), dtype=torch.float32, device=device)

        self.judged = []
        self.wanted = [on_device(circulant.inverse(kept, lags_s).T) for kept in masks]
        for kept in masks:
            residues = circulant.inverse(kept, whole).T
            # A residue function and its bend (second difference) by one product.
            self.judged.append(on_device(np.hstack([residues, np.diff(residues, n=2, axis=1)])))

    def __call__(self, curves: torch.Tensor) -> torch.Tensor:
        """Residue functions ``(n, lags)`` of curves ``(n, frames)``.

        Between the last step that oscillates too much and the first that does not, the functions are mixed so that the
        index would be the limit: steps would else show as jumps of flow.
        """
        result = curves.new_empty((len(curves), self.wanted[0].shape[1]))
        for k, (rows, share) in enumerate(self._steps(curves)):
            own = curves[rows]
            found = own @ self.wanted[k]
            if k > 0:
                found = torch.lerp(found, own @ self.wanted[k - 1], share[:, None])
            result[rows] = found
        return result

    def _steps(self, curves: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """For each step the rows of ``curves`` that it is for, and what the step before it counts in each, 0-1."""
        rows, own = torch.arange(len(curves), device=curves.device), curves
        before = curves.new_full((len(curves),), torch.inf)
        last = len(self.judged) - 1
        for k, judged in enumerate(self.judged):
            index = self._oscillation_index(own @ judged)
            quiet = index < self.limit if k < last else torch.ones_like(index, dtype=torch.bool)
            above, below = before[quiet], index[quiet]
            yield rows[quiet], ((self.limit - below) / (above - below).clamp_min(1e-9)).clamp(0, 1)
            rows, own, before = rows[~quiet], own[~quiet], index[~quiet]
            if not len(rows):
                return

    def _oscillation_index(self, judged: torch.Tensor) -> torch.Tensor:
        """Oscillation index: mean bend over the largest value (Wu et al., eq. 9), of products with ``self.judged``."""
        largest = judged[:, : self.samples].amax(dim=1).clamp_min(torch.finfo(judged.dtype).tiny)
        return judged[:, self.samples :].abs_().sum(dim=1) / (self.samples * largest)
