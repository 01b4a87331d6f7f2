"""Similarities of two views of an image, and of views of different images."""

import numpy as np

from simclr_tf.report import style
from simclr_tf.report.neighbors import unit

_BINS = 60


def cosine_similarities(view_a, view_b):
    """Cosine similarities of positives and negatives.

    Args:
        view_a: Float `[N, E]`, N >= 2; need not be normalised.
        view_b: Float `[N, E]`; row i shows the same image as `view_a[i]`.

    Returns:
        `(positives, negatives)`: float32 `[N]`, for the two views of each image, and
        float32 `[N * (N - 1)]`, for first and second views of different images.
    """
    cosines = unit(view_a) @ unit(view_b).T
    same = np.eye(len(cosines), dtype=bool)
    return cosines[same], cosines[~same]


def draw_similarities(positives, negatives):
    """A figure of two histograms, each with an area of 1.

    Args:
        positives: Float `[P]` in -1..1, from `cosine_similarities`.
        negatives: Float `[Q]`.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> draw_similarities([0.9, 0.8], [0.1, -0.2, 0.0])
        <Figure size ...>
    """
    axes = style.axes(520, 260)
    low = min(np.min(positives), np.min(negatives), 0.0)
    edges = np.linspace(low, 1.0, _BINS + 1)
    kinds = ("different images", negatives, 1), ("two views of one image", positives, 0)
    for name, values, series in kinds:
        heights, _ = np.histogram(np.clip(values, low, 1), edges, density=True)
        look = {"color": style.SERIES[series], "linestyle": "--" if series else "-"}
        axes.stairs(heights, edges, fill=True, alpha=0.25, color=look["color"], lw=0)
        axes.stairs(heights, edges, label=name, linewidth=1.8, **look)
    axes.set(xlabel="cosine similarity of projections", yticks=[])
    axes.spines["left"].set_visible(False)
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    style.legend(axes, loc="upper left")
    return axes.figure
