"""How the out-of-domain score behaves: on patients like those of training, on another scanner, on single heads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from perfusynth import atomic
from perfusynth.generators.domain import DomainReference, stands_out
from perfusynth.generators.head_view import HeadView

#: Confidence of the interval of a share.
CONFIDENCE = 0.95

#: Scores (network, image) of the heads of each set, by name.
Scores = Mapping[str, np.ndarray]


def scores_of(reference: DomainReference, views: Sequence[HeadView]) -> np.ndarray:
    """Network's and image's distance of each head, ``(heads, 2)``."""
    return np.array([reference.score(view) for view in views], dtype=float).reshape(-1, 2)


def behaviour_figures(reference: DomainReference, sets: Mapping[str, Sequence[HeadView]]) -> dict[str, Any]:
    """Figures of each set of heads.

    Returns
    -------
    By set: ``heads``, quartiles and largest ``score``, ``unusual`` (share above the limit, with a Clopper-Pearson
    interval), the share that each of the two distances alone calls unusual, and how often each plain figure sticks out.
    """
    return {name: _of_set(reference, views) for name, views in sets.items() if views}


def _of_set(reference: DomainReference, views: Sequence[HeadView]) -> dict[str, Any]:
    both = scores_of(reference, views)
    score = both.max(axis=1)
    above = score > reference.limit
    interval = stats.binomtest(int(above.sum()), len(above)).proportion_ci(CONFIDENCE, method="exact")
    words = [line.split(":")[0] for view in views for line in stands_out(reference, view.statistics)]
    return {
        "heads": len(views),
        "score_quartiles": [round(float(q), 3) for q in np.quantile(score, [0.25, 0.5, 0.75])],
        "score_largest": round(float(score.max()), 3),
        "unusual": round(float(above.mean()), 4),
        "unusual_low": round(float(interval.low), 4),
        "unusual_high": round(float(interval.high), 4),
        "unusual_by_network": round(float((both[:, 0] > reference.limit).mean()), 4),
        "unusual_by_image": round(float((both[:, 1] > reference.limit).mean()), 4),
        "sticks_out": {word: words.count(word) for word in sorted(set(words))},
    }


def draw_behaviour(path: Path, reference: DomainReference, sets: Scores, heads: Scores) -> None:
    """Write the picture (PNG): network's distance against the image's, sets as clouds, single heads with their names.

    Parameters
    ----------
    sets, heads
        Distances ``(n, 2)`` by name.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.2), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    for name, scores in sets.items():
        share = (scores.max(axis=1) > reference.limit).mean() if len(scores) else 0.0
        axes.plot(*scores.T, ".", ms=3, alpha=0.6, label=f"{name} ({len(scores)}; {share:.1%} unusual)")
    for name, scores in heads.items():
        axes.plot(*scores.T, "*", ms=10, label=f"{name}: {scores.max():.1f}")
    for line in (axes.axvline, axes.axhline):
        line(reference.limit, color="k", lw=0.7, ls=":")
    axes.set(xscale="log", yscale="log")
    axes.set_xlabel("distance of the network's features (1: median patient)", fontsize=8)
    axes.set_ylabel("distance of the plain figures of the image", fontsize=8)
    axes.set_title(f"Dotted: the limit, {reference.limit:.2f}; unusual is what lies beyond either", fontsize=8)
    axes.legend(fontsize=7)
    canvas = FigureCanvasAgg(figure)
    with atomic.replacing(path) as file:
        canvas.print_png(file)
