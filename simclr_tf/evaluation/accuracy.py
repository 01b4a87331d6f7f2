"""Computes the same figures from class scores for every evaluator."""

import math
import typing

import numpy as np

from simclr_tf.errors import UserError

_Z = 1.959964  # of a two-sided 95% interval


class Result(typing.NamedTuple):
    """The result of an evaluator: scores, and the settings that it chose itself."""

    scores: np.ndarray  # [M, K], higher is likelier
    chosen: typing.Mapping[str, float] = {}  # such as {"l2": 0.1}


def figures(labels, scores):
    """How well class scores fit the labels.

    Scores are ranked from high to low, and equal ones by class number, so a label that
    shares its score with others only counts as found if it comes first. (With nearest
    neighbours many classes have the score 0, and `tf.math.in_top_k` would count all of
    them as found.)

    Args:
        labels: Int `[M]`, in `0 .. K - 1`.
        scores: Float `[M, K]`, higher is likelier.

    Returns:
        Dict of floats in [0, 1]: `top_1_accuracy`; `top_5_accuracy` (1 if there are up
        to five classes); `mean_per_class_accuracy`, the mean over the classes in
        `labels`; `top_1_accuracy_low` and `top_1_accuracy_high`, the 95% interval of
        the first (see `wilson_interval`).

    Raises:
        UserError: If there are no rows, shapes differ, a label is not a class, or a
            score is not a number.

    Example:
        >>> figures([0, 1], [[0.9, 0.1], [0.8, 0.2]])["mean_per_class_accuracy"]
        0.5
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    require_labels(labels, scores.shape[-1], "labels")
    if scores.shape[:-1] != labels.shape:
        raise UserError(
            f"`scores` must be [{len(labels)}, K], a row a label, got {scores.shape}."
        )
    if np.isnan(scores).any():
        raise UserError("`scores` must be numbers, got some that are not (nan).")
    own = np.take_along_axis(scores, labels[:, np.newaxis], axis=1)
    first = np.arange(scores.shape[1]) < labels[:, np.newaxis]
    rank = np.sum((scores > own) | ((scores == own) & first), axis=1)  # from 0
    hits = rank < 1
    counts = np.bincount(labels)
    per_class = np.bincount(labels, hits)[counts > 0] / counts[counts > 0]
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return {
        "top_1_accuracy": float(hits.mean()),
        "top_1_accuracy_low": low,
        "top_1_accuracy_high": high,
        "top_5_accuracy": float(np.mean(rank < 5)),
        "mean_per_class_accuracy": float(per_class.mean()),
    }


def wilson_interval(hits, count):
    """95% confidence interval of a share, from `hits` of `count` trials.

    It covers the choice of test images, but not the seed of the training.

    Args:
        hits: Int in 0 .. `count`.
        count: Int >= 1.

    Returns:
        `(low, high)`, floats in [0, 1].

    Example:
        >>> [round(end, 4) for end in wilson_interval(8, 10)]
        [0.4902, 0.9433]

    Reference: Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953.
    """
    share, z2 = hits / count, _Z**2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    spread = share * (1 - share) / count + z2 / (4 * count**2)
    half = _Z / (1 + z2 / count) * math.sqrt(spread)
    return max(0.0, centre - half), min(1.0, centre + half)


def require_labels(labels, num_classes, name):
    """Refuses labels that are missing, empty, or not in `0 .. num_classes - 1`.

    Args:
        labels: Int `[N]` or None.
        num_classes: Int.
        name: Str, how the error names the labels.

    Raises:
        UserError: Naming the first wrong one.
    """
    if labels is None or not len(labels):
        raise UserError(f"`{name}` must have labels, got none.")
    wrong = labels[(labels < 0) | (labels >= num_classes)]
    if len(wrong):
        raise UserError(
            f"`{name}` must have labels in 0 .. {num_classes - 1}, got {wrong[0]} "
            f"(and {len(wrong) - 1} more like it)."
        )
