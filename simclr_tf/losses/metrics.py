"""How well the contrastive task itself is solved, as users of SimCLR read it."""

import tensorflow as tf


def contrastive_accuracy(view_a, view_b):
    """Whether the second view of each image is the one nearest to its first view.

    As in the published code: from the first views to the second views only, among the
    `B` images of this replica; chance is `1 / B`.

    Args:
        view_a: Float tensor `[B, E]`.
        view_b: Float tensor `[B, E]`; row i shows the same image as `view_a[i]`.

    Returns:
        Float32 tensor `[B]` of 0 and 1, by cosine similarity.
    """
    similarity = _cosines(view_a, view_b)
    partner = tf.range(tf.shape(similarity)[0])
    nearest = tf.argmax(similarity, axis=1, output_type=tf.int32)
    return tf.cast(tf.equal(nearest, partner), tf.float32)


def contrastive_entropy(view_a, view_b, temperature=0.1):
    """How undecided the choice among the second views is: 0 sure, `ln B` uniform.

    Args:
        view_a: Float tensor `[B, E]`.
        view_b: Float tensor `[B, E]`.
        temperature: Positive float dividing the cosines.

    Returns:
        Float32 tensor `[B]` in nats.
    """
    logits = _cosines(view_a, view_b) / temperature
    log_probability = tf.nn.log_softmax(logits, axis=1)
    return -tf.reduce_sum(tf.exp(log_probability) * log_probability, axis=1)


def _cosines(view_a, view_b):
    view_a = tf.math.l2_normalize(tf.cast(view_a, tf.float32), axis=1)
    view_b = tf.math.l2_normalize(tf.cast(view_b, tf.float32), axis=1)
    return tf.matmul(view_a, view_b, transpose_b=True)  # [B, B]
