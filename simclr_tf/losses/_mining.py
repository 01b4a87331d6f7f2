"""Which negative of a row is worth learning from."""

import tensorflow as tf


def semi_hard_negative(block):
    """The similarity `[n]` to the nearest negative that is farther than the positive.

    As in FaceNet. Where every negative is nearer than the positive, it is the farthest
    one, so that a row never is without.

    Args:
        block: `_rowwise.Block`.

    Returns:
        Float32 `[n]`, some of `block.logits`, with their gradient.
    """
    logits = block.logits
    farther = block.is_negative & (logits < block.positive[:, tf.newaxis])
    nearest = tf.argmax(tf.where(farther, logits, logits.dtype.min), axis=1)
    farthest = tf.argmin(tf.where(block.is_negative, logits, logits.dtype.max), axis=1)
    chosen = tf.where(tf.reduce_any(farther, axis=1), nearest, farthest)
    return tf.gather(logits, chosen, axis=1, batch_dims=1)
