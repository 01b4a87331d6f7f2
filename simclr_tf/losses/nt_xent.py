"""NT-Xent, the normalised temperature-scaled cross-entropy of SimCLR."""

import math

import tensorflow as tf
from tensorflow import keras


def nt_xent(view_a, view_b, temperature=0.1, hidden_norm=True):
    """SimCLR loss: pick the other view of the same image among 2B - 1 candidates.

    Args:
        view_a: Float tensor `[B, E]`.
        view_b: Float tensor `[B, E]`; row i shows the same image as `view_a[i]`.
        temperature: Positive float dividing the similarities.
        hidden_norm: Bool, whether rows are scaled to length 1 first, so that the
            similarities are cosines.

    Returns:
        Float32 tensor `[2B]` in nats, one per row of `view_a`, then of `view_b`. Its
        mean is the paper's loss; the published code prints twice that.

    Raises:
        ValueError: If `temperature` is not positive, or the views are not two matrices
            of one shape.

    Example:
        >>> print(nt_xent(tf.eye(2), tf.eye(2), temperature=1.0).numpy().round(4))
        [0.5514 0.5514 0.5514 0.5514]

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, equation 1.
    """
    _check_temperature(temperature)
    view_a, view_b = _embeddings(view_a, view_b, hidden_norm)
    everyone = tf.concat([view_a, view_b], axis=0)
    rows = tf.shape(view_a)[0]
    return _cross_entropy(everyone, everyone, tf.range(2 * rows), temperature)


@keras.utils.register_keras_serializable(package="simclr_tf")
class NTXent(keras.losses.Loss):
    """`nt_xent` as a Keras loss; under a strategy the negatives come from all replicas.

    Args:
        temperature: Positive float dividing the similarities.
        hidden_norm: Bool, whether rows are scaled to length 1 first.
        **kwargs: Those of `keras.losses.Loss`, such as `reduction`.

    Call arguments:
        view_a: Float tensor `[B, E]`, this replica's projections of the first views.
        view_b: Float tensor `[B, E]`, those of the second views.

    Returns:
        `call` gives float32 `[B]` in nats, for each image the mean of its two rows, so
        that the mean over the images of all replicas is the paper's loss. Gradients
        flow through the gather to every replica. Replicas may hold different numbers of
        images.

    Raises:
        ValueError: If `temperature` is not positive.

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, algorithm 1.
    """

    def __init__(self, temperature=0.1, hidden_norm=True, name="nt_xent", **kwargs):
        super().__init__(name=name, **kwargs)
        _check_temperature(temperature)
        self.temperature = temperature
        self.hidden_norm = hidden_norm

    def call(self, view_a, view_b):
        view_a, view_b = _embeddings(view_a, view_b, self.hidden_norm)
        mine = tf.concat([view_a, view_b], axis=0)  # [2b, E]
        first, total = _place_among_replicas(tf.shape(view_a)[0])
        everyone = tf.concat([_gather(view_a), _gather(view_b)], axis=0)  # [2B, E]
        here = first + tf.range(tf.shape(view_a)[0])
        places = tf.concat([here, here + total], axis=0)  # of `mine` in `everyone`
        losses = _cross_entropy(mine, everyone, places, self.temperature)
        return tf.add_n(tf.split(losses, 2)) / 2.0

    def get_config(self):
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "hidden_norm": self.hidden_norm,
        }


def _cross_entropy(mine, everyone, places, temperature):
    """Cross-entropy `[n]` of finding each row's partner among all the other rows.

    Args:
        mine: Float32 `[n, E]`.
        everyone: Float32 `[2B, E]`, all first views, then all second views.
        places: Int `[n]`, where the rows of `mine` stand in `everyone`.
        temperature: Positive float.
    """
    logits = tf.matmul(mine, everyone, transpose_b=True) / temperature  # [n, 2B]
    candidates = tf.shape(everyone)[0]
    # No row may choose itself. float32 keeps this finite under mixed precision.
    itself = tf.one_hot(places, candidates, on_value=True, off_value=False)
    logits = tf.where(itself, logits.dtype.min, logits)
    partner = (places + candidates // 2) % candidates
    return tf.nn.sparse_softmax_cross_entropy_with_logits(partner, logits)


def _embeddings(view_a, view_b, hidden_norm):
    """Float32 rows, of length 1 where `hidden_norm`."""
    view_a, view_b = tf.cast(view_a, tf.float32), tf.cast(view_b, tf.float32)
    if view_a.shape.rank != 2 or not view_a.shape.is_compatible_with(view_b.shape):
        raise ValueError(
            "`view_a` and `view_b` must be matrices [B, E] of one shape, got "
            f"{view_a.shape} and {view_b.shape}."
        )
    if not hidden_norm:
        return view_a, view_b
    return tf.math.l2_normalize(view_a, axis=1), tf.math.l2_normalize(view_b, axis=1)


def _gather(rows):
    """Rows `[B, E]` of all replicas from this replica's `[b, E]`, differentiable."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return rows
    return context.all_gather(rows, axis=0)


def _place_among_replicas(rows):
    """Where this replica's rows begin among those of all replicas, and how many."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return 0, rows
    counts = context.all_gather(rows[tf.newaxis], axis=0)  # [replicas]
    replica = context.replica_id_in_sync_group
    return tf.cumsum(counts, exclusive=True)[replica], tf.reduce_sum(counts)


def _check_temperature(temperature):
    if not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError(f"`temperature` must be positive, got {temperature}.")
