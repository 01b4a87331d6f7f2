"""Top-k accuracies."""

import tensorflow as tf


def top_k_accuracies(labels, scores, ks=(1, 5)):
    """Shares of rows whose label is among the k highest scores.

    Args:
        labels: Int `[N]`, class indices.
        scores: Float `[N, K]`, higher is likelier.
        ks: Ints; a k above the number of classes counts all of them.

    Returns:
        Dict `label_top_<k>_accuracy` -> float in [0, 1].

    Example:
        >>> top_k_accuracies([0, 1], [[0.9, 0.1], [0.8, 0.2]], ks=(1, 2))
        {'label_top_1_accuracy': 0.5, 'label_top_2_accuracy': 1.0}
    """
    labels, scores = tf.cast(labels, tf.int64), tf.cast(scores, tf.float32)
    num_classes = scores.shape[-1]
    hits = {k: tf.math.in_top_k(labels, scores, min(k, num_classes)) for k in ks}
    return {
        f"label_top_{k}_accuracy": float(tf.reduce_mean(tf.cast(hit, tf.float32)))
        for k, hit in hits.items()
    }
