"""Batch normalisation with the fused kernel wherever one replica sees the batch."""

import tensorflow as tf
from tensorflow import keras


@keras.utils.register_keras_serializable(package="tf_models")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' batch normalisation, faster, and synchronized over replicas if asked.

    With one replica, and in inference, the fused kernel is used. The moving variance is
    that of the batch (`1 / N`) in every case, so that one replica and several on the
    same global batch end with the same statistics.

    Args:
        synchronized: Bool, whether statistics are those of the global batch.
        **kwargs: Those of `keras.layers.BatchNormalization`; `axis` must be the last.

    Call arguments:
        inputs: Float tensor `[B, C]` or `[B, H, W, C]`.
        training: Bool; a layer whose `trainable` is false always runs in inference.

    Returns:
        Tensor of the same shape and dtype.

    Reference: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167.
    """

    def __init__(self, synchronized=False, **kwargs):
        super().__init__(synchronized=synchronized, **kwargs)

    def call(self, inputs, training=None, mask=None):
        training = bool(training) and self.trainable
        if training and self.synchronized and _replicas() > 1:
            return super().call(inputs, training=True)
        images = tf.cast(inputs, self.compute_dtype)
        if inputs.shape.rank == 2:
            images = images[:, tf.newaxis, tf.newaxis]
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            images,
            self._or_constant(self.gamma, 1.0),
            self._or_constant(self.beta, 0.0),
            mean=None if training else tf.cast(self.moving_mean, tf.float32),
            variance=None if training else tf.cast(self.moving_variance, tf.float32),
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            self._move(mean, variance, tf.size(images[..., 0]))
        return outputs[:, 0, 0] if inputs.shape.rank == 2 else outputs

    def _or_constant(self, parameter, value):
        if parameter is None:
            return tf.fill([self.moving_mean.shape[0]], value)
        return tf.cast(parameter, tf.float32)

    def _move(self, mean, variance, count):
        """Moves the statistics; the kernel gives a variance of `1 / (N - 1)`."""
        count = tf.cast(count, tf.float32)
        variance *= (count - 1.0) / tf.maximum(count, 1.0)
        for moving, value in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            old = tf.convert_to_tensor(moving)
            moving.assign(
                old + (1.0 - self.momentum) * (tf.cast(value, old.dtype) - old)
            )


def _replicas():
    return tf.distribute.get_strategy().num_replicas_in_sync
