"""Batch normalisation that uses the fused kernel if one replica has the whole batch."""

import tensorflow as tf
from tensorflow import keras


@keras.utils.register_keras_serializable(package="tf_models")
class BatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation as in Keras, but faster, and synchronized if asked.

    With one replica, and in inference, the fused kernel is used. The moving variance is
    that of the batch (`1 / N`) in every case, so that one replica and several on the
    same global batch end with the same statistics. Replicas may hold different numbers
    of images.

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
            return self._normalize_with_all(inputs)
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
            # The kernel gives a variance of 1 / (N - 1).
            count = tf.cast(tf.size(images[..., 0]), tf.float32)
            self._move(mean, variance * (count - 1.0) / tf.maximum(count, 1.0))
        return outputs[:, 0, 0] if inputs.shape.rank == 2 else outputs

    def _normalize_with_all(self, inputs):
        """Normalises by mean and variance over the rows of all replicas."""
        images = tf.cast(inputs, tf.float32)
        axes = list(range(images.shape.rank - 1))
        count = tf.cast(tf.size(images[..., 0]), tf.float32)
        mean = tf.math.divide_no_nan(tf.reduce_sum(images, axes), count)
        squares = tf.reduce_sum(tf.math.squared_difference(images, mean), axes)
        counts, means, squares = _of_all_replicas(count, mean, squares)  # [R, C]
        # Sums of squares around each replica's own mean lose no digits, unlike those
        # around 0 (Chan, Golub and LeVeque 1983, equation 2.1, of R parts).
        total = tf.reduce_sum(counts, axis=0)
        mean = tf.reduce_sum(counts * means, axis=0) / total
        apart = counts * tf.math.squared_difference(means, mean)
        variance = tf.reduce_sum(squares + apart, axis=0) / total
        self._move(mean, variance)
        outputs = tf.nn.batch_normalization(
            images, mean, variance, self.beta, self.gamma, self.epsilon
        )
        return tf.cast(outputs, self.compute_dtype)

    def _or_constant(self, parameter, value):
        if parameter is None:
            return tf.fill([self.moving_mean.shape[0]], value)
        return tf.cast(parameter, tf.float32)

    def _move(self, mean, variance):
        for moving, value in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            old = tf.convert_to_tensor(moving)
            value = tf.cast(tf.stop_gradient(value), old.dtype)
            moving.assign(old + (1.0 - self.momentum) * (value - old))

    def get_config(self):
        # Keras 2 leaves it out.
        return {**super().get_config(), "synchronized": self.synchronized}


def _of_all_replicas(count, mean, squares):
    """Gathers each statistic to `[replicas, C]`; gradients flow back."""
    context = tf.distribute.get_replica_context()
    mine = tf.stack([tf.broadcast_to(count, tf.shape(mean)), mean, squares])
    place = tf.one_hot(context.replica_id_in_sync_group, context.num_replicas_in_sync)
    rows = tf.reshape(place, [-1, 1, 1]) * mine  # [R, 3, C], zero but for this one's
    # One sum of tensors of one size, where a gather would first exchange sizes.
    return tf.unstack(context.all_reduce(tf.distribute.ReduceOp.SUM, rows), axis=1)


def _replicas():
    return tf.distribute.get_strategy().num_replicas_in_sync
