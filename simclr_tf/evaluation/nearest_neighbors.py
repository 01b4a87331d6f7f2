"""Weighted k-nearest-neighbour classification: needs no training at all."""

import tensorflow as tf

from simclr_tf.evaluation.accuracy import top_k_accuracies


def knn_scores(
    queries, features, labels, num_classes, neighbors=20, temperature=0.07, block=1024
):
    """Class scores from the nearest labelled features by cosine similarity.

    Each of the k nearest features votes for its class with weight
    `exp(similarity / temperature)`.

    Args:
        queries: Float `[M, C]`, the features to classify.
        features: Float `[N, C]`, the labelled features.
        labels: Int `[N]`, their classes in `0 .. num_classes - 1`.
        num_classes: Int `K`.
        neighbors: Int k >= 1; more than `N` counts all of them.
        temperature: Positive float; a large one gives every neighbour an equal vote.
        block: Int, queries compared at a time: memory is `block * N` floats.

    Returns:
        Float32 `[M, K]`, rows summing to 1.

    Raises:
        ValueError: If `neighbors` or `temperature` is not positive.

    Reference: Wu et al. 2018, https://arxiv.org/abs/1805.01978, section 3.4.
    """
    if neighbors < 1:
        raise ValueError(f"`neighbors` must be >= 1, got {neighbors}.")
    if temperature <= 0:
        raise ValueError(f"`temperature` must be positive, got {temperature}.")
    features = tf.math.l2_normalize(tf.cast(features, tf.float32), axis=1)
    votes = tf.one_hot(labels, num_classes)  # [N, K]
    neighbors = min(neighbors, len(features))

    @tf.function(input_signature=[tf.TensorSpec([None, features.shape[1]])])
    def classify(queries):
        queries = tf.math.l2_normalize(tf.cast(queries, tf.float32), axis=1)
        similarity = tf.matmul(queries, features, transpose_b=True)  # [b, N]
        nearest, indices = tf.math.top_k(similarity, neighbors)  # [b, k]
        weights = tf.nn.softmax(nearest / temperature)  # [b, k]
        return tf.einsum("bk,bkc->bc", weights, tf.gather(votes, indices))

    starts = range(0, len(queries), block)
    return tf.concat([classify(queries[start : start + block]) for start in starts], 0)


def evaluate_knn(train, test, num_classes, neighbors=20, temperature=0.07):
    """Accuracy of `knn_scores` with labelled features `train` on features `test`.

    Args:
        train: `Features` with labels.
        test: `Features` with labels.
        num_classes: Int.
        neighbors: Int, see `knn_scores`.
        temperature: Float, see `knn_scores`.

    Returns:
        Dict `label_top_1_accuracy`, `label_top_5_accuracy` -> float in [0, 1].
    """
    scores = knn_scores(
        test.features, train.features, train.labels, num_classes, neighbors, temperature
    )
    return top_k_accuracies(test.labels, scores)
