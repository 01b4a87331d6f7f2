"""Convolutions, the parts of every block."""

import tensorflow as tf
from tensorflow import keras

from tf_models import convolution, folding
from tf_models.batch_normalization import BatchNormalization


class Convolution(keras.layers.Layer):
    """Convolution without bias, with equal padding on both sides at any stride.

    Args:
        filters: Int.
        kernel_size: Int, odd.
        strides: Int, 1 or 2.
    """

    def __init__(self, filters, kernel_size, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.strides = strides
        self.padding = (kernel_size - 1) // 2 if strides > 1 else 0
        self.convolution = keras.layers.Conv2D(
            filters,
            kernel_size,
            strides,
            padding="valid" if strides > 1 else "same",
            use_bias=False,
            kernel_initializer=keras.initializers.VarianceScaling(),
            name="convolution",
        )

    def build(self, input_shape):
        self.convolution.build(input_shape)
        self.built = True

    def call(self, images, training=None):
        if training and self.trainable and convolution.is_faster(images):
            kernel = tf.cast(self.convolution.kernel, images.dtype)
            return convolution.convolve(images, kernel, self.strides)
        return self.convolution(convolution.pad(images, self.padding))

    def by_constants(self, images, kernel, bias):
        """The convolution with another kernel and a bias, both NumPy arrays."""
        images = tf.nn.conv2d(
            convolution.pad(images, self.padding),
            tf.cast(tf.constant(kernel), images.dtype),
            self.strides,
            "VALID" if self.padding else "SAME",
        )
        return tf.nn.bias_add(images, tf.cast(tf.constant(bias), images.dtype))


class ConvolutionNorm(keras.layers.Layer):
    """`Convolution`, batch norm, and ReLU where `relu`.

    Args:
        filters: Int.
        kernel_size: Int, odd.
        strides: Int.
        relu: Bool.
        zero_gamma: Bool, whether batch norm's scale starts at 0 instead of 1.
        norm: Dict of arguments of `BatchNormalization`.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        relu=True,
        zero_gamma=False,
        norm=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.relu = relu
        self.convolution = Convolution(
            filters, kernel_size, strides, name="convolution"
        )
        self.norm = BatchNormalization(
            gamma_initializer="zeros" if zero_gamma else "ones",
            name="batch_normalization",
            **(norm or {}),
        )

    def build(self, input_shape):
        self.convolution.build(input_shape)
        self.norm.build([None, None, None, self.filters])
        self.built = True

    def call(self, images, training=None):
        folded = folding.of(self)
        if folded is not None:
            images = self.convolution.by_constants(images, *folded)
        else:
            images = self.convolution(images, training=training)
            images = self.norm(images, training=training)
        return tf.nn.relu(images) if self.relu else images

    def fold(self):
        """Current kernel and bias of the convolution and its norm in inference."""
        return folding.fold(self.convolution.convolution.kernel, self.norm)


def global_average(images):
    """`[B, C]` means over height and width of `[B, H, W, C]`."""
    return tf.reduce_mean(images, axis=[1, 2])
