"""Image metrics as papers on synthesis give them: context, for they say little about a deficit.

Each slab is an image. They are given over the whole image, most of which is background that every method gets right,
and over the brain alone. The definitions are those of `monai.metrics` (the tests hold them against it), with windows
taken along one axis after the other and shared by all six figures: twenty times as fast on a CPU.
"""

import numpy as np
from scipy import ndimage

#: Window and its Gaussian (Wang et al., IEEE TIP 2004), and the weights of five scales (Wang et al., Asilomar 2003).
WINDOW, SIGMA = 11, 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
#: Constants of SSIM as shares of the data range (Wang et al., IEEE TIP 2004).
K_MEAN, K_CONTRAST = 0.01, 0.03
#: Mean squared errors below this share of the squared range count as so much: a perfect map has a finite PSNR.
SMALLEST_SQUARED = 1e-10


def image_figures(
    true: np.ndarray, made: np.ndarray, brain: np.ndarray, value_range: tuple[float, float]
) -> dict[str, float]:
    """``psnr`` [dB], ``ssim``, ``ms_ssim``, and each over the brain alone (``..._brain``).

    Parameters
    ----------
    true, made
        Maps ``(x, y, slabs)``, 0 outside the brain; at least 11 voxels in x and y, 176 for all five scales.
    brain
        bool, same shape, not empty.
    value_range
        Physical range of the output: the metrics' data range.
    """
    width = value_range[1] - value_range[0]
    squared = ((true - made) / width).astype(np.float64) ** 2
    shown = brain.any(axis=(0, 1))
    one, other, inside = (np.ascontiguousarray(a[..., shown], dtype=np.float32) for a in (made, true, brain))
    similar = _similarity(one, other, inside, width)
    return {"psnr": _decibel(float(squared.mean())), "psnr_brain": _decibel(float(squared[brain].mean())), **similar}


def _decibel(squared: float) -> float:
    return float(-10 * np.log10(max(squared, SMALLEST_SQUARED)))


def _windows(image: np.ndarray) -> np.ndarray:
    """Gaussian means of all windows that lie whole inside the images ``(x, y, slabs)``."""
    distance = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-((distance / SIGMA) ** 2) / 2)
    weights /= weights.sum()
    mean = ndimage.correlate1d(image, weights, axis=0)[WINDOW // 2 : -(WINDOW // 2)]
    return ndimage.correlate1d(mean, weights, axis=1)[:, WINDOW // 2 : -(WINDOW // 2)]


def _ssim_and_contrast(made: np.ndarray, true: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """SSIM of every window, and its factors of contrast and structure."""
    of_mean, of_contrast = (K_MEAN * width) ** 2, (K_CONTRAST * width) ** 2
    mean_made, mean_true = _windows(made), _windows(true)
    product = mean_made * mean_true
    squares = mean_made**2 + mean_true**2
    covariance = _windows(made * true) - product
    contrast = (2 * covariance + of_contrast) / (_windows(made**2 + true**2) - squares + of_contrast)
    return contrast * (2 * product + of_mean) / (squares + of_mean), contrast


def _halved(image: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 voxels in plane."""
    x, y = (size // 2 * 2 for size in image.shape[:2])
    quarters = (image[i:x:2, j:y:2] for i in (0, 1) for j in (0, 1))
    return np.asarray(sum(quarters), dtype=np.float32) / 4


def _similarity(made: np.ndarray, true: np.ndarray, brain: np.ndarray, width: float) -> dict[str, float]:
    """SSIM and MS-SSIM: means over slabs; over the brain, windows and slabs count by the brain at their centres."""
    half, found = WINDOW // 2, {}
    terms: dict[str, list[np.ndarray]] = {"": [], "_brain": []}
    share = np.zeros(made.shape[2])
    weights = np.array(SCALE_WEIGHTS[: _scales(made.shape)])
    for scale in range(len(weights)):
        ssim, contrast = _ssim_and_contrast(made, true, width)
        within = brain[half:-half, half:-half]
        if scale == 0:
            share = within.sum(axis=(0, 1))
            found = {"ssim": float(ssim.mean()), "ssim_brain": float((ssim * within).sum() / within.sum())}
        shown = ssim if scale == len(weights) - 1 else contrast
        terms[""].append(shown.mean(axis=(0, 1)))
        terms["_brain"].append((shown * within).sum(axis=(0, 1)) / np.maximum(within.sum(axis=(0, 1)), 1e-6))
        made, true, brain = _halved(made), _halved(true), _halved(brain)
    for where, several in terms.items():
        of_slab = np.prod(np.maximum(several, 0) ** weights[:, None], axis=0)
        of_slab_weight = share if where else np.ones_like(share)
        found[f"ms_ssim{where}"] = float((of_slab * of_slab_weight).sum() / of_slab_weight.sum())
    return found


def _scales(shape: tuple[int, ...]) -> int:
    """Scales at which a window still fits."""
    return sum(min(shape[:2]) // 2**scale >= WINDOW for scale in range(len(SCALE_WEIGHTS)))
