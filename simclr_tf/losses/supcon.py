"""Supervised contrastive learning: all images of a class are positives."""

from tensorflow import keras

from simclr_tf.losses import _pairs
from simclr_tf.losses._rowwise import RowwiseLoss, masked_log_sum, masked_mean


@keras.utils.register_keras_serializable(package="simclr_tf")
class SupCon(RowwiseLoss):
    """NT-Xent with the other images of a class as further positives.

    For an embedding `z_i`, with `A(i)` all others and `P(i)` those of them that have
    its label, its other view among them:

        loss(i) = -1 / |P(i)| sum over p in P(i) of
                  ln(e^(z_i.z_p / t) / sum over a in A(i) of e^(z_i.z_a / t))

    An image of label -1 has only its other view as a positive, and is a negative for
    all others. If all are -1, this is NT-Xent.

    Args:
        temperature: Positive float t dividing the similarities.
        hidden_norm: Bool, whether rows are scaled to length 1 first.
        **kwargs: Those of `keras.losses.Loss`.

    Call arguments and returns are those of `ContrastiveLoss`. `labels` must be given;
    `negatives`, whose classes are not known, must not.

    Raises:
        ValueError: If `temperature` is not positive.

    Example:
        >>> import tensorflow as tf
        >>> loss = SupCon(temperature=1.0)
        >>> one_class = loss.call(tf.eye(2), tf.eye(2), labels=tf.constant([0, 0]))
        >>> print(one_class.numpy().round(4))  # ln(e + 2) - 1/3
        [1.2181 1.2181]

    Reference: Khosla et al. 2020, https://arxiv.org/abs/2004.11362, equation 2
    (L_out), without the factor of the published code.
    """

    needs_labels = True
    _arguments = ("temperature", "hidden_norm")

    def __init__(self, temperature=0.1, hidden_norm=True, name="supcon", **kwargs):
        super().__init__(name=name, **kwargs)
        _pairs.require_temperature(temperature)
        self.temperature = temperature
        self.hidden_norm = hidden_norm

    def _of_rows(self, block):
        is_partner = block.is_other & ~block.is_negative
        is_positive = is_partner | (block.is_other & block.is_same_class)
        log_sum = masked_log_sum(block.logits, block.is_other)
        return log_sum - masked_mean(block.logits, is_positive)
