"""How well the contrastive task is solved, as users of SimCLR know it.

As in the published code, both only compare first views with second views; the other
first views are no candidates. During training, `NTXent.call_with_metrics` computes them
without a second matrix of similarities.
"""

import tensorflow as tf


def contrastive_accuracy(view_a, view_b, hidden_norm=True):
    """Whether an image's first view is most similar to its own second view.

    Args:
        view_a: Float tensor `[B, E]`.
        view_b: Float tensor `[B, E]`; row i shows the same image as `view_a[i]`.
        hidden_norm: Bool, whether rows are scaled to length 1 first.

    Returns:
        Float32 tensor `[B]` of 0 and 1; chance is `1 / B`.

    Example:
        >>> views = tf.eye(3)
        >>> print(contrastive_accuracy(views, tf.gather(views, [0, 2, 1])).numpy())
        [1. 0. 0.]
    """
    logits = _similarities(view_a, view_b, hidden_norm)
    return from_logits(logits, tf.range(tf.shape(logits)[0]))[0]


def contrastive_entropy(view_a, view_b, temperature=0.1, hidden_norm=True):
    """Entropy of the choice among the second views.

    Args:
        view_a: Float tensor `[B, E]`.
        view_b: Float tensor `[B, E]`; row i shows the same image as `view_a[i]`.
        temperature: Positive float dividing the similarities.
        hidden_norm: Bool, whether rows are scaled to length 1 first.

    Returns:
        Float32 tensor `[B]` in nats, from 0 (sure) to `ln B` (uniform).

    Example:
        >>> views = tf.ones([2, 3])
        >>> print(contrastive_entropy(views, views).numpy().round(4))
        [0.6931 0.6931]
    """
    logits = _similarities(view_a, view_b, hidden_norm) / temperature
    return from_logits(logits, tf.range(tf.shape(logits)[0]))[1]


def from_logits(logits, partner):
    """Accuracies and entropies, each `[n]`, of some first views.

    Args:
        logits: Float32 `[n, B]`, similarities of first views to all second views,
            divided by the temperature.
        partner: Int32 `[n]`, the column of each one's own second view.
    """
    nearest = tf.argmax(logits, axis=1, output_type=tf.int32)
    log_probability = tf.nn.log_softmax(logits, axis=1)
    mean = tf.reduce_sum(tf.exp(log_probability) * log_probability, axis=1)
    return tf.cast(tf.equal(nearest, partner), tf.float32), -mean


def _similarities(view_a, view_b, hidden_norm):
    view_a, view_b = tf.cast(view_a, tf.float32), tf.cast(view_b, tf.float32)
    if hidden_norm:
        view_a = tf.math.l2_normalize(view_a, axis=1)
        view_b = tf.math.l2_normalize(view_b, axis=1)
    return tf.matmul(view_a, view_b, transpose_b=True)  # [B, B]
