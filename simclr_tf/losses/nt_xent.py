"""NT-Xent, the normalised temperature-scaled cross-entropy of SimCLR."""

import math

import tensorflow as tf
from tensorflow import keras

from simclr_tf.losses import metrics


def nt_xent(view_a, view_b, temperature=0.1, hidden_norm=True):
    """SimCLR loss: pick the other view of the same image among 2B - 1 candidates.

    Args:
        view_a: Float tensor `[B, E]`.
        view_b: Float tensor `[B, E]`; row i shows the same image as `view_a[i]`.
        temperature: Positive float dividing the similarities.
        hidden_norm: Bool, whether rows are scaled to length 1 first, so that the
            similarities are cosines. False takes plain dot products.

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
    pairs = _pairs(view_a, view_b, hidden_norm)
    losses = _cross_entropy(_logits(pairs, pairs, temperature))  # [2B]
    return tf.concat([losses[0::2], losses[1::2]], axis=0)


@keras.utils.register_keras_serializable(package="simclr_tf")
class NTXent(keras.losses.Loss):
    """`nt_xent` as a Keras loss; under a strategy the negatives come from all replicas.

    Args:
        temperature: Positive float dividing the similarities.
        hidden_norm: Bool, whether rows are scaled to length 1 first.
        **kwargs: Those of `keras.losses.Loss`, such as `reduction`.

    Call arguments:
        view_a: Float tensor `[b, E]`, this replica's projections of the first views.
        view_b: Float tensor `[b, E]`, those of the second views.

    Returns:
        `call` gives float32 `[b]` in nats, for each image the mean of its two rows, so
        that the mean over the images of all replicas is the paper's loss. Gradients
        flow through the gather to every replica, and replicas may hold different
        numbers of images. Calling the object reduces these; by hand inside a strategy,
        where Keras cannot know the mean over all, use `call`, or `reduction` "sum" or
        "none".

    Raises:
        ValueError: If `temperature` is not positive, or the views are not two matrices
            of one shape.

    Example:
        >>> print(NTXent(temperature=1.0)(tf.eye(2), tf.eye(2)).numpy().round(4))
        0.5514

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, algorithm 1.
    """

    def __init__(self, temperature=0.1, hidden_norm=True, name="nt_xent", **kwargs):
        super().__init__(name=name, **kwargs)
        _check_temperature(temperature)
        self.temperature = temperature
        self.hidden_norm = hidden_norm

    def call(self, view_a, view_b):
        return _pair_means(_cross_entropy(self._logits_to_all(view_a, view_b)))

    def call_with_metrics(self, view_a, view_b):
        """The loss and the contrastive metrics from one matrix of similarities.

        Args:
            view_a: Float tensor `[b, E]`.
            view_b: Float tensor `[b, E]`.

        Returns:
            `(losses, accuracies, entropies)`, each float32 `[b]`: what `call` gives,
            and `contrastive_accuracy` and `contrastive_entropy` among the images of all
            replicas.
        """
        logits = self._logits_to_all(view_a, view_b)
        across = logits[0::2, 1::2]  # [b, B], first views to second views
        return (
            _pair_means(_cross_entropy(logits)),
            metrics.accuracy_from_logits(across),
            metrics.entropy_from_logits(across),
        )

    def _logits_to_all(self, view_a, view_b):
        pairs = _pairs(view_a, view_b, self.hidden_norm)
        return _logits(pairs, _gathered(pairs), self.temperature)

    def get_config(self):
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "hidden_norm": self.hidden_norm,
        }


def _pairs(view_a, view_b, hidden_norm):
    """Float32 `[B, 2, E]`: the two views of each image, side by side."""
    view_a, view_b = tf.convert_to_tensor(view_a), tf.convert_to_tensor(view_b)
    matrices = view_a.shape.rank in (None, 2) and view_b.shape.rank in (None, 2)
    if not matrices or not view_a.shape.is_compatible_with(view_b.shape):
        raise ValueError(
            "`view_a` and `view_b` must be matrices [B, E] of one shape, got "
            f"{view_a.shape} and {view_b.shape}."
        )
    # float32, because exponentials of cosines / temperature pass float16's range.
    pairs = tf.cast(tf.stack([view_a, view_b], axis=1), tf.float32)
    return tf.math.l2_normalize(pairs, axis=-1) if hidden_norm else pairs


def _logits(mine, everyone, temperature):
    """Scaled similarities of each row to all rows, itself ruled out.

    Args:
        mine: Float32 `[b, 2, E]`, the pairs of this replica.
        everyone: Float32 `[B, 2, E]`, the pairs of all replicas, `mine` first.
        temperature: Positive float.

    Returns:
        Float32 `[2b, 2B]`. Rows and columns go image by image: the first view of image
        0, its second view, the first view of image 1, ...
    """
    dim = tf.shape(mine)[-1]
    rows = tf.reshape(mine / temperature, [-1, dim])
    columns = tf.reshape(everyone, [-1, dim])
    logits = tf.matmul(rows, columns, transpose_b=True)
    nothing = tf.fill([tf.shape(rows)[0]], logits.dtype.min)
    return tf.linalg.set_diag(logits, nothing)


def _cross_entropy(logits):
    """Cross-entropy `[2b]` of finding, in each row of `_logits`, the other view."""
    row = tf.range(tf.shape(logits)[0])
    partner = row + 1 - 2 * (row % 2)  # 1, 0, 3, 2, ...
    return tf.nn.sparse_softmax_cross_entropy_with_logits(partner, logits)


def _pair_means(losses):
    return tf.reduce_mean(tf.reshape(losses, [-1, 2]), axis=1)


def _gathered(pairs):
    """Pairs `[B, 2, E]` of all replicas, this replica's `[b, 2, E]` first.

    The gradient flows back to the replica that a pair came from.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return pairs
    counts = context.all_gather(tf.shape(pairs)[:1], axis=0)  # [replicas]
    before = tf.cumsum(counts, exclusive=True)[context.replica_id_in_sync_group]
    return tf.roll(context.all_gather(pairs, axis=0), -before, axis=0)


def _check_temperature(temperature):
    if not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError(
            f"`temperature` must be positive and finite, got {temperature}."
        )
