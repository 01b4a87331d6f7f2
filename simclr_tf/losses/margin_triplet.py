"""The margin triplet loss that the SimCLR paper compares NT-Xent with."""

import math

import tensorflow as tf
from tensorflow import keras

from simclr_tf.losses._mining import semi_hard_negative
from simclr_tf.losses._rowwise import RowwiseLoss, masked_mean


@keras.utils.register_keras_serializable(package="simclr_tf")
class MarginTriplet(RowwiseLoss):
    """Wants the other view to be more similar than any negative, by a margin.

    For an embedding `u`, its image's other view `v+` and negatives `v-`:

        loss(u) = mean over v- of max(u.v- - u.v+ + m, 0)

    With `semi_hard`, only one negative counts: the most similar one that is less
    similar than `v+` (or, if there is none, the least similar of all).

    Args:
        margin: Positive float m, in units of the similarity.
        hidden_norm: Bool, whether rows are scaled to length 1 first.
        semi_hard: Bool, whether only the semi-hard negative counts.
        **kwargs: Those of `keras.losses.Loss`.

    Call arguments and returns are those of `ContrastiveLoss`, but there is no
    temperature.

    Raises:
        ValueError: If `margin` is not positive.

    Example:
        >>> views = tf.eye(2), tf.constant([[0.0, 1.0], [1.0, 0.0]])
        >>> print(MarginTriplet(margin=0.4)(*views).numpy().round(4))  # (1.4 + 0.4) / 2
        0.9

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, table 2 and section
    5.1; semi-hard negatives are those of Schroff et al. 2015,
    https://arxiv.org/abs/1503.03832, section 3.2.
    """

    takes_negatives = True
    takes_temperature = False
    _arguments = ("margin", "hidden_norm", "semi_hard")

    def __init__(
        self,
        margin=0.8,
        hidden_norm=True,
        semi_hard=False,
        name="margin_triplet",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        if not (margin > 0 and math.isfinite(margin)):
            raise ValueError(f"`margin` must be positive and finite, got {margin}.")
        self.margin = margin
        self.hidden_norm = hidden_norm
        self.semi_hard = semi_hard

    def _of_rows(self, block):
        if self.semi_hard:
            negative = semi_hard_negative(block)
            return tf.nn.relu(negative - block.positive + self.margin)
        excess = block.logits - block.positive[:, tf.newaxis] + self.margin
        return masked_mean(tf.nn.relu(excess), block.is_negative)
