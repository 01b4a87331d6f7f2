"""Gaussian noise."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.augmentation import _base, _chance


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomGaussianNoise(_chance.ChangeSome):
    """Adds normal noise to every value of some images, and clips to [0, 1].

    Args:
        stddev: Positive float, standard deviation of the noise in the range of the
            images: 0.1 is 25 grey levels.
        probability: Float in [0, 1], share of images that are changed.
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`.

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, section 3.
    """

    def __init__(self, stddev=0.1, probability=0.5, **kwargs):
        super().__init__(probability, **kwargs)
        if not 0 < stddev < float("inf"):
            raise ValueError(f"`stddev` must be a positive float, got {stddev}.")
        self.stddev = stddev

    def draws(self, images, seed):
        return (_base.normal(seed, images),)

    def change(self, images, noise):
        return tf.clip_by_value(images + self.stddev * noise, 0.0, 1.0)

    def get_config(self):
        return {**super().get_config(), "stddev": self.stddev}
