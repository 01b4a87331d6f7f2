"""NT-Xent, the normalised temperature-scaled cross-entropy of SimCLR."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.losses import _blockwise, _pairs, _rows, metrics
from simclr_tf.losses.contrastive import ContrastiveLoss
from simclr_tf.losses.small_views import nt_xent_small_views

# Cells of the largest matrix of similarities that is made at once: 16 MB.
_MAX_CELLS = 2**22


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

    Above 1024 images the similarities are computed a block of rows at a time, in the
    forward and again in the backward pass, so that memory grows with B and not with its
    square.

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, equation 1.
    """
    _pairs.require_temperature(temperature)
    pairs = _pairs.pairs_of(view_a, view_b, hidden_norm)
    losses, *_ = _compare(pairs, temperature, 1.0 if hidden_norm else None)  # [B, 2]
    return tf.concat([losses[:, 0], losses[:, 1]], axis=0)


@keras.utils.register_keras_serializable(package="simclr_tf")
class NTXent(ContrastiveLoss):
    """`nt_xent` as a Keras loss; under a strategy, negatives come from all replicas.

    Args:
        temperature: Positive float dividing the similarities.
        hidden_norm: Bool, whether rows are scaled to length 1 first.
        **kwargs: Those of `keras.losses.Loss`, such as `reduction`.

    Call arguments:
        view_a: Float tensor `[b, E]`, this replica's projections of the first views.
        view_b: Float tensor `[b, E]`, those of the second views.
        labels: Not read.
        negatives: Float tensor `[M, E]` or None, more candidates for every row, see
            `ContrastiveLoss`.
        temperature: Float32 scalar tensor or None, instead of the loss's own.

    Returns:
        `call` returns float32 `[b]` in nats, for each image the mean of its two rows,
        so that the mean over the images of all replicas is the paper's loss. Gradients
        flow through the gather to every replica, and replicas may hold different
        numbers of images. Calling the object reduces the losses. In your own training
        loop under a strategy, where Keras cannot know the mean over all replicas, use
        `call`, or `reduction` "sum" or "none".

    Raises:
        ValueError: If `temperature` is not positive, or the views are not two matrices
            of one shape.

    Example:
        >>> print(NTXent(temperature=1.0)(tf.eye(2), tf.eye(2)).numpy().round(4))
        0.5514

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, algorithm 1.
    """

    takes_negatives = True
    _arguments = ("temperature", "hidden_norm")

    def __init__(self, temperature=0.1, hidden_norm=True, name="nt_xent", **kwargs):
        super().__init__(name=name, **kwargs)
        _pairs.require_temperature(temperature)
        self.temperature = temperature
        self.hidden_norm = hidden_norm

    def of_small_views(self, small, view_a, view_b, negatives=None, temperature=None):
        """The loss of multi-crop's small views against the full views of all replicas.

        Args:
            small: Float tensor `[b, V, E]`.
            view_a: Float tensor `[b, E]`.
            view_b: Float tensor `[b, E]`.
            negatives: Float tensor `[M, E]` or None, as in `call`.
            temperature: Float32 scalar tensor or None, as in `call`.

        Returns:
            Float32 `[b, V]`, see `nt_xent_small_views`.
        """
        return nt_xent_small_views(
            small,
            view_a,
            view_b,
            self.temperature if temperature is None else temperature,
            self.hidden_norm,
            _pairs.gathered,
            negatives,
        )

    def _compare(self, view_a, view_b, given, with_metrics):
        pairs = _pairs.pairs_of(view_a, view_b, self.hidden_norm)
        temperature, max_cosine = self.temperature, 1.0 if self.hidden_norm else None
        scale = 1.0
        if given.temperature is not None:
            # By the square root on both sides the gradient reaches it through both.
            temperature, max_cosine = 1.0, None
            scale = tf.sqrt(given.temperature)
        pairs /= scale
        losses, *of_images = _compare(
            pairs, temperature, max_cosine, _pairs.gathered, with_metrics
        )
        if given.negatives is not None:
            negatives, filled = _pairs.negatives_of(given.negatives, self.hidden_norm)
            losses = _with_negatives(
                losses, pairs / temperature, pairs, negatives / scale, filled
            )
        return (tf.reduce_mean(losses, axis=1), *of_images)


def _with_negatives(losses, rows, pairs, negatives, filled):
    """Cross-entropies of each row with negatives as further candidates.

    `-ln(e^s / (sum + more)) = ln(e^loss + e^(ln more - s))`, where `s` is the
    similarity to the other view and `loss = ln sum - s`.

    Args:
        losses: Float32 `[b, 2]`, the cross-entropies without them.
        rows: Float32 `[b, 2, E]`, the pairs divided by the temperature.
        pairs: Float32 `[b, 2, E]`.
        negatives: Float32 `[M, E]`.
        filled: Bool `[M]`, which of them count.

    Returns:
        Float32 `[b, 2]`.
    """
    similarity = tf.reduce_sum(rows[:, 0] * pairs[:, 1], axis=1)  # [b]
    rows = tf.reshape(rows, [-1, tf.shape(rows)[-1]])
    more = _rows.log_sums(rows, negatives, lambda numbers: filled)
    more = tf.reshape(more, [-1, 2]) - similarity[:, tf.newaxis]
    return _pairs.log_add(losses, more)


def _compare(pairs, temperature, max_cosine, gather=None, with_metrics=False):
    """Cross-entropies of finding the other view of each row's image.

    Args:
        pairs: Float32 `[b, 2, E]`, those of this replica.
        temperature: Positive float.
        max_cosine: Float or None, bound of the similarities, if it is known.
        gather: Callable from `[b, ...]` to the rows `[B, ...]` of all replicas, this
            one's first; None compares with `pairs` alone.
        with_metrics: Bool, whether accuracies and entropies are wanted.

    Returns:
        `(losses, accuracies, entropies)`: float32 `[b, 2]`, `[b]`, `[b]`; the last two
        are meaningless without metrics.
    """
    if gather is None or _pairs.num_replicas() == 1:
        count = pairs.shape[0]
        if count is not None and (2 * count) ** 2 <= _MAX_CELLS:
            return _compare_at_once(pairs, temperature, with_metrics)
        gather = tf.identity
    return _blockwise.compare(
        pairs,
        temperature,
        gather,
        _MAX_CELLS,
        max_cosine=max_cosine,
        with_metrics=with_metrics,
    )


def _compare_at_once(pairs, temperature, with_metrics):
    """`_compare` with all similarities in one matrix."""
    logits = _logits(pairs, temperature)
    row = tf.range(tf.shape(logits)[0])
    partner = row + 1 - 2 * (row % 2)  # 1, 0, 3, 2, ...
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(partner, logits)
    losses = tf.reshape(losses, [-1, 2])
    if not with_metrics:
        return losses, None, None
    across = logits[0::2, 1::2]  # [b, B], first views to second views
    return (losses, *metrics.from_logits(across, tf.range(tf.shape(across)[0])))


def _logits(pairs, temperature):
    """Scaled similarities of each row to all other rows; itself is masked.

    Args:
        pairs: Float32 `[B, 2, E]`.
        temperature: Positive float.

    Returns:
        Float32 `[2B, 2B]`. Rows and columns go image by image: the first view of image
        0, its second view, the first view of image 1, ...
    """
    rows = tf.reshape(pairs, [-1, tf.shape(pairs)[-1]])
    logits = tf.matmul(rows / temperature, rows, transpose_b=True)
    nothing = tf.fill([tf.shape(rows)[0]], logits.dtype.min)
    return tf.linalg.set_diag(logits, nothing)
