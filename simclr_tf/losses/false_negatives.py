"""False negative cancellation: what looks like the same class is no negative."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.losses import _pairs
from simclr_tf.losses._rowwise import RowwiseLoss, count, masked_log_sum


@keras.utils.register_keras_serializable(package="simclr_tf")
class FalseNegatives(RowwiseLoss):
    """NT-Xent without the negatives that are suspiciously similar.

    For an embedding `z_i` with its image's other view `z_j`, `F(i)` are the negatives
    whose cosine with `z_i` is above `false_negative_threshold` and which are among the
    `false_negative_top_k` most similar ones. Elimination leaves them out:

        loss(i) = -ln p(j), p(k) = e^(z_i.z_k / t) / sum over n of e^(z_i.z_n / t)

    where `n` goes over all others except `F(i)`. With `attract_false_negatives` they
    are positives instead, and `n` goes over all others:

        loss(i) = -(ln p(j) + sum over f in F(i) of ln p(f)) / (1 + |F(i)|)

    The paper compares support views, further random views of the anchor, with the
    negatives, by a network of its own. Here they are found by the projections of the
    batch themselves, each view for itself, so that nothing more is computed; no
    gradient flows through the choice. Early in training projections know little: a
    high threshold is safe then.

    Args:
        temperature: Positive float t dividing the similarities.
        false_negative_threshold: Float in [-1, 1], a cosine.
        false_negative_top_k: Int, at most so many for each row (more if some are
            equally similar); 0 sets no bound.
        attract_false_negatives: Bool, whether they are positives instead of left out.
        **kwargs: Those of `keras.losses.Loss`.

    Call arguments and returns are those of `ContrastiveLoss`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> views = tf.eye(2), tf.ones([2, 2])  # each cosine of two images: 0, 0.71, 1
        >>> some = FalseNegatives(1.0, false_negative_threshold=0.9)
        >>> none = FalseNegatives(1.0, false_negative_threshold=1.0)
        >>> bool(some(*views) < none(*views))
        True

    Reference: Huynh et al. 2022, https://arxiv.org/abs/2011.11765, elimination
    and attraction.
    """

    takes_negatives = True
    _arguments = (
        "temperature",
        "false_negative_threshold",
        "false_negative_top_k",
        "attract_false_negatives",
    )

    def __init__(
        self,
        temperature=0.1,
        false_negative_threshold=0.7,
        false_negative_top_k=0,
        attract_false_negatives=False,
        name="false_negatives",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        _pairs.require_temperature(temperature)
        if not -1 <= false_negative_threshold <= 1:
            raise ValueError(
                "`false_negative_threshold` must be in [-1, 1], got "
                f"{false_negative_threshold}."
            )
        if false_negative_top_k < 0:
            raise ValueError(
                "`false_negative_top_k` must be at least 0, got "
                f"{false_negative_top_k}."
            )
        self.temperature = temperature
        self.false_negative_threshold = false_negative_threshold
        self.false_negative_top_k = false_negative_top_k
        self.attract_false_negatives = attract_false_negatives

    def _of_rows(self, block):
        is_false = self._is_false(block)
        if not self.attract_false_negatives:
            log_sum = masked_log_sum(block.logits, block.is_other & ~is_false)
            return log_sum - block.positive
        log_sum = masked_log_sum(block.logits, block.is_other)
        attracted = tf.reduce_sum(tf.where(is_false, block.logits, 0.0), axis=1)
        positives = 1.0 + count(is_false)
        return log_sum - (block.positive + attracted) / positives

    def _is_false(self, block):
        """Bool `[n, C]`, the negatives that are taken for false ones."""
        logits = tf.stop_gradient(block.logits)
        # A cosine of 1 is never above 1, whatever was rounded.
        limit = self.false_negative_threshold + 1e-6
        is_false = block.is_negative & (logits > limit / block.temperature)
        if not self.false_negative_top_k:
            return is_false
        negatives = tf.where(block.is_negative, logits, logits.dtype.min)
        columns = negatives.shape[1] or tf.shape(negatives)[1]
        k = tf.minimum(self.false_negative_top_k, columns)
        k = tf.get_static_value(k) if tf.get_static_value(k) is not None else k
        least = tf.math.top_k(negatives, k).values[:, -1:]
        return is_false & (logits >= least)
