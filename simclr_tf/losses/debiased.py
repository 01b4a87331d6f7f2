"""Debiased contrastive learning: some negatives are of the same class."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.losses import _pairs
from simclr_tf.losses._rowwise import RowwiseLoss, count, masked_log_sum


@keras.utils.register_keras_serializable(package="simclr_tf")
class Debiased(RowwiseLoss):
    """NT-Xent that subtracts what negatives of the same class contribute.

    A share `positive_prior` of the N negatives `z-` of an embedding `z` is taken to be
    of its class, and as similar as its image's other view `z+`:

        loss(z) = -ln(e^(z.z+ / t) / (e^(z.z+ / t) + N g))
        g = max((mean over z- of e^(z.z- / t) - prior e^(z.z+ / t)) / (1 - prior),
                e^(-1 / t))

    Embeddings have length 1, so that `e^(-1 / t)` is the least that is possible. With a
    prior of 0 this is NT-Xent.

    Args:
        temperature: Positive float t dividing the similarities.
        positive_prior: Float in [0, 1), the probability that an image taken at random
            is of the same class: 1 / classes if they are equally frequent.
        **kwargs: Those of `keras.losses.Loss`.

    Call arguments and returns are those of `ContrastiveLoss`.

    Raises:
        ValueError: If `temperature` is not positive or `positive_prior` not in [0, 1).

    Example:
        >>> loss = Debiased(temperature=1.0, positive_prior=0.0)
        >>> print(loss(tf.eye(2), tf.eye(2)).numpy().round(4))  # NT-Xent
        0.5514

    Reference: Chuang et al. 2020, https://arxiv.org/abs/2007.00224, equation 8 with
    M = 1.
    """

    takes_negatives = True
    _arguments = ("temperature", "positive_prior")

    def __init__(self, temperature=0.1, positive_prior=0.1, name="debiased", **kwargs):
        super().__init__(name=name, **kwargs)
        _pairs.require_temperature(temperature)
        if not 0 <= positive_prior < 1:
            raise ValueError(
                f"`positive_prior` must be in [0, 1), got {positive_prior}."
            )
        self.temperature = temperature
        self.positive_prior = positive_prior

    def _of_rows(self, block):
        log_sum = masked_log_sum(block.logits, block.is_negative)
        return debiased(block, log_sum, self.positive_prior)


def debiased(block, log_sum, positive_prior):
    """Losses `[n]` of rows whose negatives have a sum of exponentials of `e^log_sum`.

    Args:
        block: `_rowwise.Block`.
        log_sum: Float32 `[n]`.
        positive_prior: Float in [0, 1).

    Returns:
        Float32 `[n]`.
    """
    negatives = count(block.is_negative)  # N
    # The opposite of a row is as far away as can be: at -1 / t if it has length 1.
    least = -tf.reduce_sum(tf.square(block.rows), axis=1)
    # All exponentials relative to the largest: none passes the range of float32.
    largest = tf.stop_gradient(tf.maximum(block.positive, log_sum))
    positive = tf.exp(block.positive - largest)
    estimate = tf.exp(log_sum - largest) - positive_prior * negatives * positive
    floor = negatives * tf.exp(least - largest)
    negative = tf.maximum(estimate / (1.0 - positive_prior), floor)  # N g
    return tf.math.log(positive + negative) - (block.positive - largest)
