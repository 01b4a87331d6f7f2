"""Pairs of images that contrastive training should not push apart."""

import csv
import io
import typing

import numpy as np

from simclr_tf.report import neighbors

_NEIGHBORS = 10  # of each image, among which pairs are searched
_NEAR = 0.02  # mean difference of pixels, as a share of their range
_TABLE = (
    "kind",
    "similarity",
    "pixel_difference",
    "number_a",
    "number_b",
    "file_a",
    "file_b",
    "label_a",
    "label_b",
)


class Pair(typing.NamedTuple):
    """Two images that look alike."""

    kind: str  # "near_duplicate" or "false_negative"
    similarity: float  # cosine of features
    pixel_difference: float  # mean of absolute differences, 0 to 1
    first: int
    second: int


def find_pairs(features, thumbnails, most=200, near=_NEAR):
    """The most similar pairs of different images.

    In a batch they count as negatives. A pair whose pixels hardly differ is a
    near-duplicate, of which one image can be removed. The others are probably false
    negatives.

    Args:
        features: Float `[N, C]`, N >= 2.
        thumbnails: uint8 `[N, T, T, 3]`, the images, scaled down.
        most: Int, the largest number of pairs of each kind.
        near: Float, the largest mean absolute difference of pixels in a near-duplicate,
            as a share of their range.

    Returns:
        List of `Pair`: first the near-duplicates; within each kind, the most similar
        first.
    """
    places, similarities = neighbors.nearest(features, _NEIGHBORS)
    first = np.repeat(np.arange(len(places)), places.shape[1])
    second, similarity = places.ravel(), similarities.ravel()
    low, high = np.minimum(first, second), np.maximum(first, second)
    _, kept = np.unique(low * len(places) + high, return_index=True)  # each pair once
    kept = kept[np.argsort(-similarity[kept], kind="stable")]
    by_kind = {"near_duplicate": [], "false_negative": []}
    for row in kept:
        difference = _difference(thumbnails[low[row]], thumbnails[high[row]])
        kind = "near_duplicate" if difference <= near else "false_negative"
        pair = Pair(kind, float(similarity[row]), difference, low[row], high[row])
        if len(by_kind[kind]) < most:
            by_kind[kind].append(pair)
    return by_kind["near_duplicate"] + by_kind["false_negative"]


def as_csv(pairs, names=None, labels=None):
    """The pairs as a table with a header.

    Args:
        pairs: List of `Pair`.
        names: Sequence of str, the files of all images, or None.
        labels: Sequence of str, the classes of all images, or None.

    Returns:
        Str.
    """
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(_TABLE)
    for pair in pairs:
        both = pair.first, pair.second
        table.writerow(
            [
                pair.kind,
                f"{pair.similarity:.4f}",
                f"{pair.pixel_difference:.4f}",
                *both,
                *(names[number] if names else "" for number in both),
                *(labels[number] if labels else "" for number in both),
            ]
        )
    return file.getvalue()


def _difference(first, second):
    return float(np.abs(first.astype(int) - second.astype(int)).mean() / 255)
