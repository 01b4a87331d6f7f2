"""Sobel filtering: edges instead of the picture."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.augmentation import _chance


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomSobel(_chance.ChangeSome):
    """Replaces some images by the strength of their edges, channel by channel.

    Args:
        probability: Float in [0, 1], share of images that are changed.
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`.

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, section 3.
    """

    def __init__(self, probability=0.5, **kwargs):
        super().__init__(probability, **kwargs)

    def change(self, images):
        return sobel(images)


def sobel(images):
    """Length of the gradient by Sobel's kernels; the image is mirrored at its borders.

    Like `tf.image.sobel_edges`, which does not accept an empty batch.

    Args:
        images: Float32 `[B, H, W, 3]` in [0, 1], at least 2 x 2 pixels.

    Returns:
        Float32 `[B, H, W, 3]` in [0, 1]: 1 for a straight edge from black to white.
    """
    rows = tf.concat([images[:, 1:2], images, images[:, -2:-1]], axis=1)
    padded = tf.concat([rows[:, :, 1:2], rows, rows[:, :, -2:-1]], axis=2)
    smooth_rows = padded[:, :-2] + 2.0 * padded[:, 1:-1] + padded[:, 2:]
    smooth_columns = padded[:, :, :-2] + 2.0 * padded[:, :, 1:-1] + padded[:, :, 2:]
    across = smooth_rows[:, :, 2:] - smooth_rows[:, :, :-2]  # in [-4, 4]
    down = smooth_columns[:, 2:] - smooth_columns[:, :-2]
    return tf.minimum(tf.sqrt(across**2 + down**2) / 4.0, 1.0)
