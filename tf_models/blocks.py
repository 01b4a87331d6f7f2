"""Residual blocks."""

import tensorflow as tf
from tensorflow import keras

from tf_models.attention import SelectiveKernel, SqueezeExcitation
from tf_models.layers import ConvolutionNorm


class Shortcut(keras.layers.Layer):
    """Projection to the block's size: 1x1 convolution and batch norm.

    Args:
        filters: Int.
        strides: Int.
        resnet_d: Bool, whether average pooling takes the stride (He et al. 2019,
            https://arxiv.org/abs/1812.01187, figure 2c), so that no pixel is skipped.
        norm: Dict of arguments of `BatchNormalization`.
    """

    def __init__(self, filters, strides, resnet_d, norm=None, **kwargs):
        super().__init__(**kwargs)
        self.strides = strides
        self.resnet_d = resnet_d
        self.projection = ConvolutionNorm(
            filters,
            1,
            1 if resnet_d else strides,
            relu=False,
            norm=norm,
            name="projection",
        )

    def build(self, input_shape):
        self.projection.build(input_shape)
        self.built = True

    def call(self, images, training=None):
        if self.resnet_d and self.strides > 1:
            below_and_right = [[0, 0], [0, 1], [0, 1], [0, 0]]
            images = tf.pad(images, below_and_right)
            images = tf.nn.avg_pool2d(images, 2, self.strides, "VALID")
        elif self.resnet_d:
            images = tf.nn.avg_pool2d(images, 2, 1, "SAME")
        return self.projection(images, training=training)


class ResidualBlock(keras.layers.Layer):
    """`relu(main(images) + shortcut(images))`; `main` is 0 before training.

    The last batch norm's scale starts at 0 (Goyal et al. 2017,
    https://arxiv.org/abs/1706.02677, section 5.1).

    Args:
        filters: Int, the block's width.
        strides: Int, stride of the first 3x3 convolution.
        bottleneck: Bool. True: a 3x3 convolution between two 1x1 convolutions, and `4 *
            filters` output channels. False: two 3x3 convolutions.
        project: Bool, whether the shortcut is a projection.
        sk_ratio: Float >= 0; > 0 replaces the 3x3 convolution of a bottleneck by
            `SelectiveKernel`, and projections by those of ResNet-D.
        se_ratio: Float >= 0; > 0 adds `SqueezeExcitation`.
        norm: Dict of arguments of `BatchNormalization`.
    """

    def __init__(
        self,
        filters,
        strides=1,
        bottleneck=False,
        project=False,
        sk_ratio=0.0,
        se_ratio=0.0,
        norm=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.channels = 4 * filters if bottleneck else filters
        self.shortcut = None
        if project:
            self.shortcut = Shortcut(
                self.channels, strides, sk_ratio > 0, norm, name="shortcut"
            )
        self.first = None
        if bottleneck:
            self.first = ConvolutionNorm(filters, 1, norm=norm, name="first")
        if bottleneck and sk_ratio > 0:
            self.middle = SelectiveKernel(
                filters, strides, sk_ratio, norm, name="middle"
            )
        else:
            self.middle = ConvolutionNorm(filters, 3, strides, norm=norm, name="middle")
        self.last = ConvolutionNorm(
            self.channels,
            1 if bottleneck else 3,
            relu=False,
            zero_gamma=True,
            norm=norm,
            name="last",
        )
        self.gate = None
        if se_ratio > 0:
            self.gate = SqueezeExcitation(
                self.channels, filters, se_ratio, name="squeeze_excitation"
            )

    def _main(self):
        layers = (self.first, self.middle, self.last)
        return [layer for layer in layers if layer is not None]

    def build(self, input_shape):
        shape = input_shape
        for layer in self._main():
            layer.build(shape)
            shape = [None, None, None, layer.filters]
        if self.shortcut is not None:
            self.shortcut.build(input_shape)
        if self.gate is not None:
            self.gate.build(shape)
        self.built = True

    def call(self, images, training=None):
        main, shortcut = images, images
        for layer in self._main():
            main = layer(main, training=training)
        if self.gate is not None:
            main = self.gate(main)
        if self.shortcut is not None:
            shortcut = self.shortcut(images, training=training)
        return tf.nn.relu(main + shortcut)
