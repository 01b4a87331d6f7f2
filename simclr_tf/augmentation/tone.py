"""Changes of tone: solarize and equalize."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.augmentation import _base, _chance


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomSolarize(_chance.ChangeSome):
    """Inverts, in some images, all values at or above a threshold.

    Args:
        threshold: Float in [0, 1].
        probability: Float in [0, 1], share of images that are changed; the reference
            uses 0 for one view and 0.2 for the other.
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`.

    Reference: Grill et al. 2020, https://arxiv.org/abs/2006.07733, appendix B.
    """

    def __init__(self, threshold=0.5, probability=0.2, **kwargs):
        super().__init__(probability, **kwargs)
        _base.check_probability("threshold", threshold)
        self.threshold = threshold

    def change(self, images):
        return solarize(images, self.threshold)

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomEqualize(_chance.ChangeSome):
    """Spreads the values of some images evenly over the range, channel by channel.

    Args:
        probability: Float in [0, 1], share of images that are changed.
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`; the values of a changed image are
    multiples of 1/255.

    Reference: Cubuk et al. 2019, https://arxiv.org/abs/1805.09501, appendix A.
    """

    def __init__(self, probability=0.2, **kwargs):
        super().__init__(probability, **kwargs)

    def change(self, images):
        return equalize(images)


def solarize(images, threshold=0.5):
    """Inverts values at or above the threshold, as `PIL.ImageOps.solarize` does.

    Args:
        images: Float32 `[.., 3]` in [0, 1].
        threshold: Float in [0, 1].

    Returns:
        Float32 of the same shape in [0, 1].
    """
    return tf.where(images < threshold, images, 1.0 - images)


def equalize(images):
    """Equalizes the histogram of each channel, as `PIL.ImageOps.equalize` does.

    Args:
        images: Float32 `[B, H, W, 3]` in [0, 1], rounded to 256 levels.

    Returns:
        Float32 `[B, H, W, 3]` in [0, 1].
    """
    shape = tf.shape(images)
    levels = tf.cast(tf.round(images * 255.0), tf.int32)
    channels = tf.reshape(tf.range(shape[0] * 3), [-1, 1, 1, 3])  # [B, 1, 1, 3]
    bins = levels + 256 * channels  # a histogram for each channel of each image
    histograms = tf.math.bincount(
        tf.reshape(bins, [-1]), minlength=shape[0] * 3 * 256, dtype=tf.int32
    )
    tables = _equalizing(tf.reshape(histograms, [-1, 256]))  # [3 B, 256]
    equalized = tf.gather(tf.reshape(tables, [-1]), bins)
    return tf.ensure_shape(tf.cast(equalized, tf.float32) / 255.0, images.shape)


def _equalizing(histograms):
    """The new level for each old one, int32 `[n, 256]`, from counts `[n, 256]`."""
    below = tf.cumsum(histograms, axis=1, exclusive=True)
    last = tf.argmax(tf.cast(histograms[:, ::-1] > 0, tf.int32), axis=1)
    last = tf.gather(histograms[:, ::-1], last, axis=1, batch_dims=1)
    step = (tf.reduce_sum(histograms, axis=1) - last)[:, tf.newaxis] // 255
    spread = (below + step // 2) // tf.maximum(step, 1)
    return tf.where(step > 0, tf.minimum(spread, 255), tf.range(256))
