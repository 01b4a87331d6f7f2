"""Scales images in [0, 1] as networks of other origin expect them."""

import math

import tensorflow as tf
from tensorflow import keras

_BYTE = (1 / 255,) * 3
_NAMED = {
    "none": ((0.0,) * 3, (1.0,) * 3),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "caffe": ((123.68 / 255, 116.779 / 255, 103.939 / 255), _BYTE),
}
ALLOWED = f"{', '.join(_NAMED)}, or six numbers, three means and three deviations > 0"


@keras.utils.register_keras_serializable(package="tf_models")
class InputNormalization(keras.layers.Layer):
    """`normalize` as a layer, always in float32.

    Args:
        normalization: Str, see `constants`.
        **kwargs: Those of `keras.layers.Layer`.
    """

    def __init__(self, normalization, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.normalization = normalization

    def call(self, images):
        return normalize(images, self.normalization)

    def get_config(self):
        return {**super().get_config(), "normalization": self.normalization}


def normalize(images, text):
    """Subtracts the means and divides by the deviations; "caffe" reverses channels.

    Args:
        images: Float tensor `[B, H, W, 3]` in [0, 1], red first.
        text: Str, see `constants`.

    Returns:
        Float32 tensor of the same shape; for "none" the images unchanged.
    """
    if text == "none":
        return images
    means, deviations = constants(text)
    images = (tf.cast(images, tf.float32) - means) / deviations
    return images[..., ::-1] if text == "caffe" else images


def constants(text):
    """The means and deviations that a word or six numbers stand for.

    Args:
        text: Str. "none". "imagenet": as torchvision's networks are trained. "caffe":
            as ResNet and VGG of `keras.applications` are trained, in 0..255 minus the
            mean of ImageNet, blue first. Or "r,g,b,r,g,b", means and deviations of
            images in [0, 1].

    Returns:
        Two tuples of three floats.

    Raises:
        ValueError: If it is none of these.

    Example:
        >>> constants("0.5,0.5,0.5,0.25,0.25,0.25")
        ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    """
    if text in _NAMED:
        return _NAMED[text]
    numbers = tuple(map(float, text.split(",")))
    means, deviations = numbers[:3], numbers[3:]
    usable = len(numbers) == 6 and all(map(math.isfinite, numbers))
    if not usable or min(deviations) <= 0:
        raise ValueError(text)
    return means, deviations
