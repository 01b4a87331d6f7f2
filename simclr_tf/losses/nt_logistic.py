"""NT-Logistic, the logistic loss that the SimCLR paper compares NT-Xent with."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.losses import _pairs
from simclr_tf.losses._mining import semi_hard_negative
from simclr_tf.losses._rowwise import RowwiseLoss, masked_mean


@keras.utils.register_keras_serializable(package="simclr_tf")
class NTLogistic(RowwiseLoss):
    """Tells the pair of an image from pairs of two images, each for itself.

    For an embedding `u`, its image's other view `v+` and negatives `v-`:

        loss(u) = -ln sigmoid(u.v+ / t) - mean over v- of ln sigmoid(-u.v- / t)

    With `semi_hard`, only one negative counts: the most similar one that is less
    similar than `v+` (or, if there is none, the least similar of all).

    Args:
        temperature: Positive float t dividing the similarities.
        hidden_norm: Bool, whether rows are scaled to length 1 first.
        semi_hard: Bool, whether only the semi-hard negative counts.
        **kwargs: Those of `keras.losses.Loss`.

    Call arguments and returns are those of `ContrastiveLoss`.

    Raises:
        ValueError: If `temperature` is not positive.

    Example:
        >>> loss = NTLogistic(temperature=1.0)
        >>> print(loss(tf.eye(2), tf.eye(2)).numpy().round(4))  # ln(1 + 1/e) + ln 2
        1.0064

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, table 2 and section
    5.1. Table 2 is of one negative; here the mean over all of them counts, so that the
    positive weighs as much as the negatives at any batch size.
    """

    takes_negatives = True
    _arguments = ("temperature", "hidden_norm", "semi_hard")

    def __init__(
        self,
        temperature=0.1,
        hidden_norm=True,
        semi_hard=False,
        name="nt_logistic",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        _pairs.require_temperature(temperature)
        self.temperature = temperature
        self.hidden_norm = hidden_norm
        self.semi_hard = semi_hard

    def _of_rows(self, block):
        of_positive = tf.nn.softplus(-block.positive)  # -ln sigmoid(x) = ln(1 + e^-x)
        if self.semi_hard:
            return of_positive + tf.nn.softplus(semi_hard_negative(block))
        return of_positive + masked_mean(
            tf.nn.softplus(block.logits), block.is_negative
        )
