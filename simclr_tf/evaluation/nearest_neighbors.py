"""Weighted k-nearest-neighbour classification, which needs no training."""

import numpy as np
import tensorflow as tf

from simclr_tf.errors import UserError
from simclr_tf.evaluation.accuracy import Result


def evaluate_knn(train, test, num_classes, neighbors=20, temperature=0.07):
    """Classifies features `test` by their nearest neighbours among features `train`.

    Args:
        train: `Features` with labels.
        test: `Features`.
        num_classes: Int `K`.
        neighbors: Int, see `knn_scores`. The paper uses 200 on ImageNet; fewer are
            usual if classes have few images.
        temperature: Float, see `knn_scores`.

    Returns:
        `Result`.
    """
    return Result(
        knn_scores(
            test.features,
            train.features,
            train.labels,
            num_classes,
            neighbors,
            temperature,
        )
    )


def knn_scores(
    queries,
    features,
    labels,
    num_classes,
    neighbors=20,
    temperature=0.07,
    block=1024,
    bank_block=16384,
):
    """Class scores from the nearest labelled features by cosine similarity.

    Each of the k nearest features votes for its class with weight
    `exp(similarity / temperature)`. Among equally near ones, the first count.

    Args:
        queries: Float `[M, C]`, the features to classify.
        features: Float `[N, C]`, the labelled features, the bank.
        labels: Int `[N]`, their classes in `0 .. num_classes - 1`; -1 if a label is not
            known: that feature takes up a place among the k, but has no vote.
        num_classes: Int `K`.
        neighbors: Int k >= 1; if it is more than `N`, all of them vote.
        temperature: Positive float; a large one gives every neighbour an equal vote.
        block: Int, queries compared at a time.
        bank_block: Int, features that they are compared with at a time. Besides its
            arguments and result, the function needs memory for `block * bank_block`
            similarities and the `M * k` nearest so far.

    Returns:
        Float32 `[M, K]`, rows summing to 1, or of zeros if no neighbour has a label.

    Raises:
        UserError: If `neighbors` or `temperature` is not positive.

    Reference: Wu et al. 2018, https://arxiv.org/abs/1805.01978, section 3.4.
    """
    if neighbors < 1:
        raise UserError(f"`neighbors` must be >= 1, got {neighbors}.")
    if not temperature > 0:
        raise UserError(f"`temperature` must be positive, got {temperature}.")
    k = min(neighbors, len(features))
    similarity = np.full([len(queries), k], -np.inf, "float32")
    classes = np.zeros([len(queries), k], "int64")
    # The bank is the larger: each piece of it is moved to the device once.
    for bank in _slices(len(features), bank_block):
        piece = tf.constant(features[bank], tf.float32)
        piece_labels = tf.constant(labels[bank], tf.int64)
        for rows in _slices(len(queries), block):
            similarity[rows], classes[rows] = _nearer(
                tf.constant(queries[rows], tf.float32),
                piece,
                piece_labels,
                tf.constant(similarity[rows]),
                tf.constant(classes[rows]),
            )
    pieces = [
        vote_shares(similarity[rows], classes[rows], num_classes, temperature)
        for rows in _slices(len(queries), block)
    ]
    return np.concatenate(pieces)


@tf.function(reduce_retracing=True)
def _nearer(queries, bank, labels, similarity, classes):
    """The k nearest among the `[b, k]` found so far and one more piece of the bank.

    Among equals, those found first come first, as in one search of the whole bank.
    """
    k = tf.shape(similarity)[1]
    queries = tf.math.l2_normalize(queries, axis=1)
    bank = tf.math.l2_normalize(bank, axis=1)
    here = tf.matmul(queries, bank, transpose_b=True)  # [b, n]
    here, places = tf.math.top_k(here, tf.minimum(k, tf.shape(bank)[0]))
    similarity = tf.concat([similarity, here], axis=1)
    classes = tf.concat([classes, tf.gather(labels, places)], axis=1)
    similarity, places = tf.math.top_k(similarity, k)
    return similarity, tf.gather(classes, places, batch_dims=1)


def vote_shares(similarity, classes, num_classes, temperature=0.07):
    """The share of each class in the weighted votes of neighbours.

    Args:
        similarity: Float `[b, k]`, cosine similarities.
        classes: Int `[b, k]`, the classes of the neighbours, or -1 for no vote.
        num_classes: Int `K`.
        temperature: Positive float, see `knn_scores`.

    Returns:
        Float32 `[b, K]`, rows summing to 1, or of zeros if nobody votes.
    """
    similarity = np.where(classes >= 0, similarity, -np.inf)
    nearest = np.maximum(similarity.max(axis=1, keepdims=True), -1)  # finite if none
    weights = np.exp((similarity - nearest) / temperature)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), np.finfo("float32").tiny)
    rows = len(classes)
    cells = np.arange(rows)[:, np.newaxis] * num_classes + np.maximum(classes, 0)
    votes = np.bincount(cells.ravel(), weights.ravel(), minlength=rows * num_classes)
    return votes.reshape([rows, num_classes]).astype("float32")


def _slices(count, size):
    return [slice(start, start + size) for start in range(0, count, size)]
