"""Rotation by quarter turns."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.augmentation import _base, _chance


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomRotation90(_chance.ChangeSome):
    """Rotates square images by 0, 90, 180 or 270 degrees with equal probability.

    A quarter turn changes the shape of a picture that is not square, so put this layer
    after a crop.

    Args:
        probability: Float in [0, 1], share of images that draw a turn; a quarter of
            those draw 0 degrees.
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`; images `[.., S, S, 3]`.

    Reference: Gidaris et al. 2018, https://arxiv.org/abs/1803.07728.
    """

    def __init__(self, probability=1.0, **kwargs):
        super().__init__(probability, **kwargs)

    def process(self, images, training, seed):
        with tf.control_dependencies(self._require_square(images)):
            return super().process(tf.identity(images), training, seed)

    def draws(self, images, seed):
        turns = _base.uniform(seed, images, high=4.0)
        return (tf.minimum(tf.cast(turns, tf.int32), 3),)

    def change(self, images, turns):
        return rotate90(images, turns)

    def _require_square(self, images):
        """Refuses other images: now, or in the graph if sizes are not known yet."""
        height, width = images.shape[1:3]
        message = (
            f"{self.name} needs square images [.., S, S, 3]: put it behind a crop, got "
        )
        if height is None or width is None:
            height, width = tf.unstack(tf.shape(images)[1:3])
            return [tf.debugging.Assert(height == width, [message, height, width])]
        if height != width:
            raise ValueError(f"{message}{height} x {width}.")
        return []


def rotate90(images, turns):
    """Turns square images counter-clockwise, as `np.rot90` does.

    Args:
        images: `[B, S, S, 3]`.
        turns: Int32 `[B]` in 0 .. 3, quarter turns.

    Returns:
        `[B, S, S, 3]`.
    """
    turns = _base.per_image(turns)
    transposed = tf.transpose(images, [0, 2, 1, 3])
    images = tf.where((turns == 1) | (turns == 3), transposed, images)
    images = tf.where((turns == 1) | (turns == 2), images[:, ::-1], images)
    return tf.where((turns == 2) | (turns == 3), images[:, :, ::-1], images)
