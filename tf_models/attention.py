"""Selective kernels and squeeze-and-excitation: blocks that weigh channels."""

import tensorflow as tf
from tensorflow import keras

from tf_models.layers import ConvolutionNorm, global_average


class SelectiveKernel(keras.layers.Layer):
    """Mixes two 3x3 branches per image and channel, with weights from the whole image.

    Args:
        filters: Int, channels of the output.
        strides: Int.
        sk_ratio: Float > 0, width of the bottleneck over `filters` (at least 32).
        norm: Dict of arguments of `BatchNormalization`.

    Call arguments:
        images: Float tensor `[B, H, W, c]`.
        training: Bool.

    Returns:
        Float tensor `[B, ceil(H / strides), ceil(W / strides), filters]`.

    Reference: Li et al. 2019, https://arxiv.org/abs/1903.06586, as simplified in
    SimCLRv2, https://arxiv.org/abs/2006.10029, section 2: one convolution,
    two branches.
    """

    def __init__(self, filters, strides, sk_ratio, norm=None, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.branches = ConvolutionNorm(
            2 * filters, 3, strides, norm=norm, name="branches"
        )
        middle = max(int(filters * sk_ratio), 32)
        self.squeeze = ConvolutionNorm(middle, 1, norm=norm, name="squeeze")
        self.mixture = keras.layers.Conv2D(
            2 * filters,
            1,
            use_bias=False,
            kernel_initializer=keras.initializers.VarianceScaling(),
            name="mixture",
        )

    def build(self, input_shape):
        self.branches.build(input_shape)
        self.squeeze.build([None, None, None, self.filters])
        self.mixture.build([None, None, None, self.squeeze.filters])
        self.built = True

    def call(self, images, training=None):
        branches = tf.split(self.branches(images, training=training), 2, axis=-1)
        summary = global_average(tf.add_n(branches))[:, tf.newaxis, tf.newaxis]
        mixture = self.mixture(self.squeeze(summary, training=training))
        weights = tf.nn.softmax(tf.stack(tf.split(mixture, 2, axis=-1)), axis=0)
        return tf.reduce_sum(tf.stack(branches) * weights, axis=0)


class SqueezeExcitation(keras.layers.Layer):
    """Scales every channel by a gate computed from the whole image.

    Args:
        channels: Int, channels of the input.
        filters: Int, the block's bottleneck width.
        se_ratio: Float > 0, width of the gate over `filters` (at least 1).

    Call arguments:
        images: Float tensor `[B, H, W, channels]`.

    Returns:
        Float tensor of the same shape.

    Reference: Hu et al. 2018, https://arxiv.org/abs/1709.01507, section 3.
    """

    def __init__(self, channels, filters, se_ratio, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.squeeze = self._convolution(max(1, int(filters * se_ratio)), "squeeze")
        self.gate = self._convolution(channels, "gate")

    def _convolution(self, filters, name):
        return keras.layers.Conv2D(
            filters,
            1,
            kernel_initializer=keras.initializers.VarianceScaling(),
            name=name,
        )

    def build(self, input_shape):
        self.squeeze.build([None, None, None, self.channels])
        self.gate.build([None, None, None, self.squeeze.filters])
        self.built = True

    def call(self, images):
        summary = global_average(images)[:, tf.newaxis, tf.newaxis]
        gate = self.gate(tf.nn.relu(self.squeeze(summary)))
        return images * tf.sigmoid(gate)
