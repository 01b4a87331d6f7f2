"""The images whose features are most similar."""

import numpy as np

from simclr_tf.evaluation.nearest_neighbors import vote_shares

_BLOCK = 1024  # queries at a time


def unit(features):
    """Float32 features `[N, C]` scaled to length 1."""
    features = np.asarray(features, "float32")
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(length, 1e-12)


def nearest(features, count=8):
    """The nearest other images of every image, by cosine similarity.

    Args:
        features: Float `[N, C]`, N >= 2.
        count: Int k, the number of neighbours; all others if there are fewer.

    Returns:
        `(places, similarities)`: int64 and float32 `[N, k]`, the nearest first.

    Example:
        >>> nearest([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], count=1)[0].tolist()
        [[1], [0], [1]]
    """
    z = unit(features)
    count = min(count, len(z) - 1)
    places = np.empty([len(z), count], "int64")
    similarities = np.empty([len(z), count], "float32")
    for start in range(0, len(z), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(z)))
        found = z[rows] @ z.T  # [b, N]
        found[np.arange(len(rows)), rows] = -np.inf  # no image is its own neighbour
        chosen = np.argpartition(-found, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(found, chosen, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        places[rows] = np.take_along_axis(chosen, order, axis=1)
        similarities[rows] = np.take_along_axis(values, order, axis=1)
    return places, similarities


def queries(labels, count, seed=0):
    """Random images to show neighbours of, from as many classes as possible.

    Args:
        labels: Int `[N]`, -1 for an unknown label; or numbers of clusters.
        count: Int, the number of images; all if there are fewer.
        seed: Int.

    Returns:
        Int64 `[count]`, sorted by label.
    """
    labels = np.asarray(labels)
    order = np.random.RandomState(seed).permutation(len(labels))
    turn = np.empty(len(labels), int)  # the first of every class, the second, ...
    for label in np.unique(labels):
        own = order[labels[order] == label]
        turn[own] = np.arange(len(own))
    chosen = order[np.argsort(turn[order], kind="stable")[:count]]
    return chosen[np.argsort(labels[chosen], kind="stable")].astype("int64")


def vote(places, similarities, labels, num_classes):
    """The class that the neighbours of each image vote for.

    Votes are weighted as in `simclr_tf.evaluation.knn_scores`. No image votes for
    itself.

    Args:
        places: Int `[N, k]`, from `nearest`.
        similarities: Float `[N, k]`.
        labels: Int `[N]`, -1 if a label is not known: it has no vote.
        num_classes: Int K.

    Returns:
        Int64 `[N]`; -1 if no neighbour has a label.
    """
    shares = vote_shares(similarities, np.asarray(labels)[places], num_classes)
    return np.where(shares.any(axis=1), shares.argmax(axis=1), -1)
