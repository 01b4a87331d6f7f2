"""Cutout: hides a square of the picture."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.augmentation import _base, _chance


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomCutout(_chance.ChangeSome):
    """Fills a square at a random place with grey.

    The centre is uniform over the whole image, so a part of the square may lie outside.

    Args:
        size: Float in (0, 1], side of the square as a share of the image's smaller
            side; the reference uses 0.5 for CIFAR-10.
        probability: Float in [0, 1], share of images that are changed.
        value: Float in [0, 1], the grey of the square.
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`.

    Reference: DeVries and Taylor 2017, https://arxiv.org/abs/1708.04552.
    """

    def __init__(self, size=0.5, probability=0.5, value=0.5, **kwargs):
        super().__init__(probability, **kwargs)
        if not 0 < size <= 1:
            raise ValueError(f"`size` must be in (0, 1], got {size}.")
        _base.check_probability("value", value)
        self.size = size
        self.value = value

    def draws(self, images, seed):
        shape = tf.cast(tf.shape(images)[1:3], tf.float32)
        centers = tf.floor(_base.uniform(seed, images, columns=2) * shape)
        return (tf.cast(centers, tf.int32),)  # [B, 2]: row, column

    def change(self, images, centers):
        return cutout(images, centers, self.size, self.value)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "value": self.value}


def cutout(images, centers, size=0.5, value=0.5):
    """Fills a square of every image.

    Args:
        images: Float32 `[B, H, W, 3]`.
        centers: Int32 `[B, 2]`, row and column of the square's centre.
        size: Float in (0, 1], side as a share of the smaller side, rounded to pixels.
        value: Float, the grey of the square.

    Returns:
        Float32 `[B, H, W, 3]`.
    """
    height, width = tf.unstack(tf.shape(images)[1:3])
    shorter = tf.cast(tf.minimum(height, width), tf.float32)
    side = tf.maximum(tf.cast(tf.round(size * shorter), tf.int32), 1)
    first = centers - side // 2  # [B, 2]

    def inside(length, start):
        places = tf.range(length) - start[:, tf.newaxis]  # [B, length]
        return (places >= 0) & (places < side)

    rows, columns = inside(height, first[:, 0]), inside(width, first[:, 1])
    hidden = rows[:, :, tf.newaxis] & columns[:, tf.newaxis]  # [B, H, W]
    return tf.where(hidden[..., tf.newaxis], value, images)
