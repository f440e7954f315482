"""Perfusion maps from time curves of many voxels: in chunks, on the CPU's cores or a GPU."""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import torch

from perfusynth.perfusion.deconvolution.inverse import area_weights, inverse_of, lags_of
from perfusynth.perfusion.deconvolution.oscillation import OscillationLimited
from perfusynth.perfusion.deconvolution.settings import DeconvolutionSettings
from perfusynth.progress import OnProgress, ignore_progress

#: Voxels that are deconvolved at a time. On the CPU they stay in its cache: more take up to four times as long
#: (docs/performance.md). A GPU is kept busy by about 250 MB of curves and residue functions.
CHUNK_VOXELS, CHUNK_VOXELS_GPU = 8192, 262_144


def deconvolve(
    curves: np.ndarray,
    aif: np.ndarray,
    dt_s: float,
    settings: DeconvolutionSettings | None = None,
    *,
    device: str = "cpu",
    chunk_voxels: int | None = None,
    on_progress: OnProgress = ignore_progress,
) -> dict[str, np.ndarray]:
    """Maps of many voxels.

    Parameters
    ----------
    curves
        Enhancement above the baseline, in the unit of ``aif`` (HU), ``(n, frames)``.
    aif
        Arterial input, ``(frames,)``.
    dt_s
        Frame interval, s; frames are even in time.
    settings
        Method and constants; the defaults of `DeconvolutionSettings` when ``None``.
    device
        A torch device: ``cpu``, ``cuda``.
    chunk_voxels
        Voxels at a time; bounds the memory, changes nothing else. `CHUNK_VOXELS`, or `CHUNK_VOXELS_GPU`, when ``None``.
    on_progress
        Told the fraction done after each chunk; may raise `Cancelled`.

    Returns
    -------
    float32 ``(n,)`` each: ``tmax`` [s], ``cbf`` [mL/100 g/min], ``cbv`` [mL/100 g].

    CBF is the maximum of the residue function, plain: the truncation lowers it, most where the transit is short (the
    table in docs/perfusion.md), and nothing is done about that here. CBV is the ratio of areas, ends continued, which
    is also the area of the residue function, since the zero frequency is always kept. Tmax is
    negative in tissue that fills before the artery.

    Raises
    ------
    ValueError
        Shapes do not fit, or the arterial input has no area.
    """
    settings = settings or DeconvolutionSettings()
    aif = np.asarray(aif, dtype=float)
    if curves.ndim != 2 or aif.shape != (curves.shape[1],) or len(aif) < 3:
        raise ValueError(f"expected curves (n, frames) and an input of as many frames, got {curves.shape}, {aif.shape}")
    if not (np.isfinite(aif).all() and aif.sum() > 0 and dt_s > 0):
        raise ValueError("expected a finite arterial input with a positive area, and a positive frame interval")
    where = torch.device(device)
    at_once = chunk_voxels or (CHUNK_VOXELS if where.type == "cpu" else CHUNK_VOXELS_GPU)
    lags, residues_of = _inversion(aif, dt_s, settings, where)
    area = area_weights(len(aif), dt_s)
    weights = torch.as_tensor(area / (area @ aif), dtype=torch.float32, device=where)
    names = ("tmax", "cbf", "cbv")
    maps = {name: np.empty(len(curves), dtype=np.float32) for name in names}

    def fill(part: slice) -> None:
        chunk = torch.as_tensor(np.ascontiguousarray(curves[part], dtype=np.float32), device=where)
        height, time = _peak(residues_of(chunk), float(lags[0]), float(lags[1] - lags[0]))
        cbf = settings.flow_unit * height.clamp_min(0)
        cbv = settings.volume_unit * (chunk @ weights).clamp_min(0)
        for name, values in zip(names, (time, cbf, cbv), strict=True):
            maps[name][part] = values.cpu().numpy()

    parts = [slice(start, start + at_once) for start in range(0, len(curves), at_once)]
    threads = torch.get_num_threads() if where.type == "cpu" else 1
    with closing(_in_order(fill, parts, threads)) as filled:
        for part, _ in zip(parts, filled, strict=True):
            on_progress("deconvolve", min(1.0, part.stop / len(curves)))
    return maps


def _in_order(work: Callable[[slice], None], parts: list[slice], threads: int) -> Generator[None, None, None]:
    """Work on the parts, yielding after each in their order; several threads take whole parts.

    Threads that share each single operation would wait for each other after every one of them: 2.5 times as long
    where other work runs (docs/performance.md).
    """
    if threads == 1 or len(parts) == 1:
        yield from map(work, parts)
        return
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield from pool.map(work, parts)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # torch would give 1 to threads that start later


def _inversion(
    aif: np.ndarray, dt_s: float, settings: DeconvolutionSettings, device: torch.device
) -> tuple[np.ndarray, Callable[[torch.Tensor], torch.Tensor]]:
    """Lags (s), and what leads from curves ``(n, frames)`` to residue functions times flow ``(n, lags)``, 1/s."""
    if settings.method == "osvd":
        lags = lags_of(len(aif), dt_s, settings)
        return lags, OscillationLimited(aif, dt_s, settings, lags, device)
    lags, inverse = inverse_of(aif, dt_s, settings)
    matrix = torch.as_tensor(inverse.T, dtype=torch.float32, device=device)
    return lags, lambda curves: curves @ matrix


def _peak(residues: torch.Tensor, first_s: float, step_s: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Height and lag (s) of the maxima of functions ``(n, lags)``, by a parabola through three samples."""
    at = residues.argmax(dim=1)
    middle = at.clamp(1, residues.shape[1] - 2)
    before, top, after = (residues.gather(1, (middle + step)[:, None])[:, 0] for step in (-1, 0, 1))
    bend = (before - 2 * top + after).clamp_max(-1e-12)
    # A maximum at the end of the window has no parabola.
    shift = torch.where(at == middle, (0.5 * (before - after) / bend).clamp(-0.5, 0.5), 0)
    height = residues.gather(1, at[:, None])[:, 0] - 0.25 * (before - after) * shift
    return height, first_s + step_s * (at + shift)
