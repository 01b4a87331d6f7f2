"""What images in [0, 1] become before the first layer of a network of others."""

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
    """Images less the means, divided by the deviations; of "caffe" in reverse order.

    Args:
        images: Float tensor `[B, H, W, 3]` in [0, 1], red first.
        text: Str, see `constants`.

    Returns:
        Float32 tensor of the same shape; for "none" the images as they are.
    """
    if text == "none":
        return images
    means, deviations = constants(text)
    images = (tf.cast(images, tf.float32) - means) / deviations
    return images[..., ::-1] if text == "caffe" else images


def constants(text):
    """The means and deviations that a word or six numbers stand for.

    Args:
        text: Str, "none"; "imagenet", what torchvision's networks are trained with;
            "caffe", what ResNet and VGG of `keras.applications` are: less the mean of
            ImageNet, in 0..255, blue first; or "r,g,b,r,g,b", of images in [0, 1].

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
