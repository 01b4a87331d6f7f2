"""Maps of an embedding, on which similar images lie together."""

import importlib.util

import numpy as np

from simclr_tf.report import style
from simclr_tf.report.neighbors import unit

_MARKERS = "osD^vP*X<>"
_MOST_NAMES = 12  # written on the map
_NAME = np.array([0.14, 0.05])  # a name's width and height, as shares of the map's
_UNKNOWN = -1
_SPREAD = 1e-6  # of features of length 1; a smaller spread is rounding
_STEPS = 500  # half the usual number; groups have formed by then


def pca(features):
    """Points `[N, 2]`: the two directions in which features differ most.

    Args:
        features: Float `[N, C]`.

    Returns:
        `(points, share)`: float `[N, 2]`, and the share of the variance they explain.
    """
    from sklearn import decomposition

    features = np.asarray(features, "float32")
    if min(features.shape) < 2:
        return np.pad(features[:, :1], [(0, 0), (0, 1)]), 1.0
    found = decomposition.PCA(2, random_state=0)
    with np.errstate(invalid="ignore"):  # when all images are alike
        points = found.fit_transform(features - features.mean(axis=0))
    share = float(np.nan_to_num(found.explained_variance_ratio_).sum())
    return np.nan_to_num(points), share


def tsne(features, perplexity=30.0):
    """Points `[N, 2]` by t-SNE, which keeps neighbours by cosine together.

    Distances between groups, and their sizes, mean nothing.

    Args:
        features: Float `[N, C]`.
        perplexity: Float, roughly the number of neighbours of each image; lowered if
            there are few images.

    Reference: van der Maaten and Hinton 2008,
    https://jmlr.org/papers/v9/vandermaaten08a.html.
    """
    from sklearn import manifold

    points = unit(features)
    start, _ = pca(points)
    spread = start[:, 0].std()
    if len(points) < 5 or spread < _SPREAD:  # collapsed: scikit-learn would crash
        return start
    found = manifold.TSNE(
        perplexity=min(perplexity, (len(points) - 1) / 3),
        init=1e-4 / spread * start,
        max_iter=_STEPS,
        random_state=0,
    )
    return found.fit_transform(points)


def umap(features, neighbors=15):
    """Points `[N, 2]` by UMAP; None without umap-learn, or for fewer than 5 images.

    Args:
        features: Float `[N, C]`.
        neighbors: Int, the number of neighbours of each image that it keeps close.
    """
    if importlib.util.find_spec("umap") is None or len(features) < 5:
        return None
    from umap import UMAP

    neighbors = min(neighbors, len(features) - 1)
    found = UMAP(neighbors, metric="cosine", random_state=0, n_jobs=1)
    return found.fit_transform(unit(features))


def clusters(features, count=10):
    """The cluster of each image by k-means, for images without labels.

    Args:
        features: Float `[N, C]`.
        count: Int, the number of clusters; lowered if there would be fewer than three
            images for each.

    Returns:
        Int64 `[N]`, the largest cluster first.
    """
    from sklearn import cluster

    count = max(1, min(count, len(features) // 3))
    found = cluster.KMeans(count, n_init=3, random_state=0).fit_predict(unit(features))
    rank = np.argsort(np.argsort(-np.bincount(found, minlength=count), kind="stable"))
    return rank[found].astype("int64")


def draw_map(points, labels=None, names=None):
    """A figure of points; each class or cluster has its own colour and shape.

    Args:
        points: Float `[N, 2]`.
        labels: Int `[N]`, class or cluster of each, -1 if it is not known; or None.
        names: Sequence of str, the names of the classes. Up to 12 names are written at
            the middle of their points.

    Returns:
        `matplotlib.figure.Figure`, without a scale, as the numbers mean nothing. The
        points of class k are the group `points-<k>` of its SVG.

    Example:
        >>> draw_map([[0, 0], [1, 1]], [0, 1], ["cat", "dog"])
        <Figure size ...>
    """
    points = np.asarray(points, float)
    labels = np.zeros(len(points), int) if labels is None else np.asarray(labels)
    axes = style.axes(420, 370)
    size = float(np.clip(18_000 / max(len(points), 1), 8, 40))
    for label in np.unique(labels):
        rows = points[labels == label]
        color, marker = _look(label)
        axes.scatter(
            *rows.T, s=size, c=color, marker=marker, alpha=0.75, lw=0, zorder=2
        ).set_gid(f"points-{label}")
    if names is not None and len(np.unique(labels)) <= _MOST_NAMES:
        shown = np.unique(labels[labels != _UNKNOWN])
        middles = [np.median(points[labels == label], axis=0) for label in shown]
        for label, place in zip(shown, _apart(middles, np.ptp(points, 0)), strict=True):
            _write(axes, place, names[label])
    axes.set_axis_off()
    axes.margins(0.04)
    return axes.figure


def _look(label):
    """Colour and marker of a class; they tell a hundred classes apart."""
    if label == _UNKNOWN:
        return style.MUTED, "."
    color = style.SERIES[label % len(style.SERIES)]
    return color, _MARKERS[(label + label // len(style.SERIES)) % len(_MARKERS)]


def _apart(middles, extent):
    """Places of names without overlaps: the upper of two names moves up."""
    width, height = _NAME * extent
    free = []
    for place in sorted(map(tuple, middles), key=lambda place: place[1]):
        near = [other[1] for other in free if abs(other[0] - place[0]) < width]
        low = max(near, default=-np.inf) + height
        free.append((place[0], max(place[1], low)))
    rank = np.argsort(np.argsort([place[1] for place in middles], kind="stable"))
    return [free[number] for number in rank]


def _write(axes, place, name):
    name = name if len(name) <= 24 else f"{name[:22]}..."
    axes.text(
        *place,
        name,
        parse_math=False,
        ha="center",
        va="center",
        weight="bold",
        color=style.INK,
        zorder=3,
        bbox={
            "boxstyle": "round,pad=0.2",
            "fc": style.PAPER,
            "ec": style.GRID,
            "lw": 0.8,
            "alpha": 0.88,
        },
    )


def places(figure, points):
    """The positions of points in the SVG of a `draw_map`.

    Args:
        figure: `matplotlib.figure.Figure` from `draw_map`.
        points: Float `[N, 2]`, the same points.

    Returns:
        Float `[N, 2]`, distances from the left and the top, as shares of its width and
        height.
    """
    figure.draw_without_rendering()
    pixels = figure.axes[0].transData.transform(np.asarray(points, float))
    shares = pixels / figure.bbox.size
    return np.stack([shares[:, 0], 1 - shares[:, 1]], axis=1)
