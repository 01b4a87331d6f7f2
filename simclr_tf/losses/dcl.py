"""Decoupled contrastive learning: the positive is no candidate."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.losses import _pairs
from simclr_tf.losses._rowwise import RowwiseLoss, masked_log_sum


@keras.utils.register_keras_serializable(package="simclr_tf")
class DCL(RowwiseLoss):
    """NT-Xent without the positive in the denominator.

    For an embedding `z`, its image's other view `z+` and negatives `z-`:

        loss(z) = -z.z+ / t + ln sum over z- of e^(z.z- / t)

    Unlike NT-Xent's, its gradient does not fade where a batch is small and its
    negatives are easy. It may be negative.

    Args:
        temperature: Positive float t dividing the similarities.
        hidden_norm: Bool, whether rows are scaled to length 1 first.
        **kwargs: Those of `keras.losses.Loss`.

    Call arguments and returns are those of `ContrastiveLoss`.

    Raises:
        ValueError: If `temperature` is not positive.

    Example:
        >>> print(DCL(1.0)(tf.eye(2), tf.eye(2)).numpy().round(4))  # ln 2 - 1
        -0.3069

    Reference: Yeh et al. 2021, https://arxiv.org/abs/2110.06848, L_DC.
    """

    takes_negatives = True
    _arguments = ("temperature", "hidden_norm")

    def __init__(self, temperature=0.1, hidden_norm=True, name="dcl", **kwargs):
        super().__init__(name=name, **kwargs)
        _pairs.require_temperature(temperature)
        self.temperature = temperature
        self.hidden_norm = hidden_norm

    def _of_rows(self, block):
        return masked_log_sum(block.logits, block.is_negative) - block.positive


@keras.utils.register_keras_serializable(package="simclr_tf")
class DCLW(DCL):
    """`DCL` with weights that favour the pairs that do not yet agree.

        loss(z) = -w z.z+ / t + ln sum over z- of e^(z.z- / t)
        w = 2 - e^(z.z+ / sigma) / mean over all images of e^(z.z+ / sigma)

    The mean weight is 1. No gradient flows through the weights, nor is the
    temperature in them. Embeddings have length 1, as those of a von Mises-Fisher
    distribution do.

    Args:
        temperature: Positive float t dividing the similarities.
        sigma: Positive float; the larger, the more equal the weights.
        **kwargs: Those of `keras.losses.Loss`.

    Call arguments and returns are those of `ContrastiveLoss`.

    Raises:
        ValueError: If `temperature` or `sigma` is not positive.

    Example:
        >>> print(DCLW(1.0)(tf.eye(2), tf.eye(2)).numpy().round(4))  # all weights are 1
        -0.3069

    Reference: Yeh et al. 2021, https://arxiv.org/abs/2110.06848, L_DCW.
    """

    _arguments = ("temperature", "sigma")

    def __init__(self, temperature=0.1, sigma=0.5, name="dclw", **kwargs):
        super().__init__(temperature, name=name, **kwargs)
        if not sigma > 0:
            raise ValueError(f"`sigma` must be positive, got {sigma}.")
        self.sigma = sigma

    def _compare(self, view_a, view_b, given, with_metrics):
        losses, *of_images = super()._compare(view_a, view_b, given, with_metrics)
        pairs = _pairs.pairs_of(view_a, view_b, self.hidden_norm)
        cosines = tf.reduce_sum(pairs[:, 0] * pairs[:, 1], axis=1)  # [b]
        temperature = given.temperature
        temperature = self.temperature if temperature is None else temperature
        # -w x + rest = (-x + rest) + (1 - w) x
        more = (1.0 - self._weights(cosines)) * cosines / temperature
        return (losses + more, *of_images)

    def _weights(self, cosines):
        """Weights `[b]` from the similarities `[b]` of this replica's pairs."""
        scaled = tf.stop_gradient(cosines) / self.sigma
        everyone = _pairs.gathered(scaled)
        images = tf.cast(tf.shape(everyone)[0], tf.float32)
        log_mean = tf.reduce_logsumexp(everyone) - tf.math.log(images)
        return 2.0 - tf.exp(scaled - log_mean)
