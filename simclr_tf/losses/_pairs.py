"""What the losses do with projections first: scale them, and gather those of others."""

import math

import tensorflow as tf


def pairs_of(view_a, view_b, hidden_norm):
    """Float32 `[B, 2, E]`: the two views of each image, side by side."""
    view_a, view_b = tf.convert_to_tensor(view_a), tf.convert_to_tensor(view_b)
    matrices = view_a.shape.rank in (None, 2) and view_b.shape.rank in (None, 2)
    if not matrices or not view_a.shape.is_compatible_with(view_b.shape):
        raise ValueError(
            "`view_a` and `view_b` must be matrices [B, E] of one shape, got "
            f"{view_a.shape} and {view_b.shape}."
        )
    # float32, because exponentials of cosines / temperature pass float16's range.
    return scaled(tf.stack([view_a, view_b], axis=1), hidden_norm)


def scaled(embeddings, hidden_norm):
    """Embeddings `[..., E]` in float32, of length 1 if `hidden_norm`."""
    embeddings = tf.cast(embeddings, tf.float32)
    return tf.math.l2_normalize(embeddings, axis=-1) if hidden_norm else embeddings


def negatives_of(negatives, hidden_norm):
    """Scaled negatives `[M, E]` without a gradient, and whether each place is filled.

    Args:
        negatives: Float tensor `[M, E]`; rows of zeros are empty places.
        hidden_norm: Bool, whether rows are scaled to length 1.

    Returns:
        `(negatives, filled)`, float32 `[M, E]` and bool `[M]`.
    """
    negatives = tf.stop_gradient(tf.convert_to_tensor(negatives))
    if negatives.shape.rank not in (None, 2):
        raise ValueError(
            f"`negatives` must be a matrix [M, E], got shape {negatives.shape}."
        )
    return scaled(negatives, hidden_norm), tf.reduce_any(negatives != 0, axis=1)


def log_add(first, second):
    """`ln(e^first + e^second)`; either may be the lowest float."""
    return first + tf.nn.softplus(second - first)


def gathered(rows):
    """Rows `[B, ...]` of all replicas, this replica's `[b, ...]` first."""
    if num_replicas() == 1:
        return rows
    context = tf.distribute.get_replica_context()
    counts = context.all_gather(tf.shape(rows)[:1], axis=0)  # [replicas]
    before = tf.cumsum(counts, exclusive=True)[context.replica_id_in_sync_group]
    everyone = tf.roll(context.all_gather(rows, axis=0), -before, axis=0)
    return tf.ensure_shape(everyone, [None, *rows.shape[1:]])


def num_replicas():
    """Int, how many replicas compute this loss together."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def require_temperature(temperature):
    """Refuses a Python number that is no temperature."""
    if not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError(
            f"`temperature` must be positive and finite, got {temperature}."
        )
