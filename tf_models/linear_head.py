"""The linear classifier on features."""

import tensorflow as tf
from tensorflow import keras


@keras.utils.register_keras_serializable(package="tf_models")
class LinearHead(keras.layers.Layer):
    """Class logits `features @ kernel + bias`, in float32 under any precision.

    Its variables have the attribute `is_linear_head`, by which optimizers recognise
    them.

    Args:
        num_classes: Int >= 1.
        zero_init: Bool, whether the kernel starts at 0 instead of N(0, 0.01^2).

    Call arguments:
        features: Float tensor `[B, C]`.

    Returns:
        Float32 tensor `[B, num_classes]`.

    Raises:
        ValueError: If `num_classes` is not positive.

    Example:
        >>> LinearHead(num_classes=10)(tf.zeros([2, 8])).shape
        TensorShape([2, 10])
    """

    def __init__(self, num_classes, zero_init=False, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        if num_classes < 1:
            raise ValueError(f"`num_classes` must be >= 1, got {num_classes}.")
        self.num_classes = num_classes
        self.zero_init = zero_init

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.num_classes),
            initializer="zeros"
            if self.zero_init
            else keras.initializers.RandomNormal(stddev=0.01),
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.num_classes,), initializer="zeros"
        )
        self.kernel.is_linear_head = self.bias.is_linear_head = True
        self.built = True

    def call(self, features):
        return tf.matmul(tf.cast(features, tf.float32), self.kernel) + self.bias

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "zero_init": self.zero_init,
        }
