"""Which classes are confused with which."""

import numpy as np

from simclr_tf.report import style

_MOST_CLASSES = 20  # a larger matrix is hard to read
_DARKEST = 0.6  # keeps the numbers legible


def count_confusions(labels, predicted, num_classes):
    """Counts how often each class is predicted as each other.

    Args:
        labels: Int `[N]`, in `0 .. K - 1`; rows with -1 do not count.
        predicted: Int `[N]`, likewise.
        num_classes: Int K.

    Returns:
        Int64 `[K, K]`, with a row for each true and a column for each predicted class.

    Example:
        >>> count_confusions([0, 0, 1], [0, 1, 1], 2).tolist()
        [[1, 1], [0, 1]]
    """
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    known = (labels >= 0) & (predicted >= 0)
    cells = labels[known] * num_classes + predicted[known]
    counts = np.bincount(cells, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def per_class(counts):
    """The accuracy of each class.

    Args:
        counts: Int `[K, K]`, from `count_confusions`.

    Returns:
        Float `[K]`, NaN for a class without images.
    """
    totals = counts.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.where(totals > 0, np.diag(counts) / totals, np.nan)


def most_confused(counts, most=8):
    """The pairs of classes that are confused most often.

    Args:
        counts: Int `[K, K]`, from `count_confusions`.
        most: Int, the largest number of pairs.

    Returns:
        List of `(true class, predicted class, count)`, the most frequent first.
    """
    wrong = counts * (1 - np.eye(len(counts), dtype=counts.dtype))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = [np.unravel_index(place, wrong.shape) for place in order]
    return [(int(a), int(b), int(wrong[a, b])) for a, b in pairs if wrong[a, b]]


def hardest(counts, most=_MOST_CLASSES):
    """The classes that a matrix shows: all, or those with the most mistakes.

    Args:
        counts: Int `[K, K]`, from `count_confusions`.
        most: Int, the largest number of classes.

    Returns:
        Int64 `[<= most]`, sorted.
    """
    mistakes = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    return np.sort(np.argsort(-mistakes, kind="stable")[:most])


def draw_confusion_matrix(counts, names, totals=None):
    """A figure of the matrix, in percent of each true class.

    Args:
        counts: Int `[K, K]`, from `count_confusions`; with many classes a part of it,
            see `hardest`.
        names: Sequence of K str.
        totals: Int `[K]`, the images of each true class; None if `counts` is not only a
            part of the matrix.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> draw_confusion_matrix(np.array([[9, 1], [2, 8]]), ["cat", "dog"])
        <Figure size ...>
    """
    totals = counts.sum(axis=1) if totals is None else totals
    shares = counts / np.maximum(totals, 1)[:, np.newaxis]
    side = max(300, 130 + 34 * len(counts))
    axes = style.axes(side, side)
    for (row, column), share in np.ndenumerate(shares):
        if share:
            axes.add_patch(_square(column, row, share, row == column))
        if share >= 0.005:
            weight = "bold" if row == column else "normal"
            look = {"fontsize": 10, "weight": weight, "color": style.INK}
            place = {"ha": "center", "va": "center"}
            axes.text(column, row, f"{100 * share:.0f}", **look, **place)
    ends = (-0.5, len(counts) - 0.5)
    axes.set(xlim=ends, ylim=ends[::-1], aspect="equal")
    places, short = range(len(counts)), [_shortened(name) for name in names]
    text = {"parse_math": False}
    axes.set_xticks(places, short, rotation=90, **text)
    axes.set_yticks(places, short, **text)
    axes.set(xlabel="predicted", ylabel="true")
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return axes.figure


def _square(left, top, share, right):
    from matplotlib.patches import FancyBboxPatch

    return FancyBboxPatch(
        (left - 0.44, top - 0.44),
        0.88,
        0.88,
        boxstyle="round,pad=0,rounding_size=0.12",
        facecolor=style.SERIES[0 if right else 1],
        alpha=_DARKEST * (0.1 + 0.9 * share),
        linewidth=0,
    )


def _shortened(name):
    return name if len(name) <= 16 else f"{name[:14]}..."
