"""Contrastive learning with hard negative samples."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.losses._rowwise import count, masked_log_sum
from simclr_tf.losses.debiased import Debiased, debiased


@keras.utils.register_keras_serializable(package="simclr_tf")
class HardNegatives(Debiased):
    """`Debiased` whose negatives weigh the more, the more similar they are.

    The mean over the negatives `z-` in `Debiased` becomes a weighted one:

        mean over z- of w e^(z.z- / t)
        w = e^(c z.z- / t) / mean over z- of e^(c z.z- / t)

    With a concentration c of 0 all weights are 1. As in the published code, gradients
    flow through the weights.

    Args:
        temperature: Positive float t dividing the similarities.
        positive_prior: Float in [0, 1), see `Debiased`.
        negative_concentration: Float c >= 0, beta in the paper.
        **kwargs: Those of `keras.losses.Loss`.

    Call arguments and returns are those of `ContrastiveLoss`.

    Raises:
        ValueError: If `temperature` is not positive, `positive_prior` not in [0, 1), or
            `negative_concentration` negative.

    Example:
        >>> loss = HardNegatives(temperature=1.0, negative_concentration=0.0)
        >>> same = Debiased(temperature=1.0)
        >>> views = tf.eye(3), tf.eye(3)
        >>> bool(abs(loss(*views) - same(*views)) < 1e-6)
        True

    Reference: Robinson et al. 2021, https://arxiv.org/abs/2010.04592, section 3 and
    the pseudocode of its objective.
    """

    _arguments = ("temperature", "positive_prior", "negative_concentration")

    def __init__(
        self,
        temperature=0.1,
        positive_prior=0.1,
        negative_concentration=1.0,
        name="hard_negatives",
        **kwargs,
    ):
        super().__init__(temperature, positive_prior, name=name, **kwargs)
        if not negative_concentration >= 0:
            raise ValueError(
                "`negative_concentration` must be at least 0, got "
                f"{negative_concentration}."
            )
        self.negative_concentration = negative_concentration

    def _of_rows(self, block):
        def log_sum(power):
            return masked_log_sum(power * block.logits, block.is_negative)

        concentration = self.negative_concentration
        log_mean_weight = log_sum(concentration) - tf.math.log(
            tf.maximum(count(block.is_negative), 1.0)
        )
        reweighted = log_sum(1.0 + concentration) - log_mean_weight
        return debiased(block, reweighted, self.positive_prior)
