"""Colour distortion."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.augmentation import _base


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomColorJitter(_base.ImageLayer):
    """Brightness, contrast, saturation and hue in random order, clipped after each.

    Every image draws its own order and factors: brightness, contrast and saturation
    from [1 - 0.8 s, 1 + 0.8 s] (brightness not below 0), hue from [-0.2 s, 0.2 s] of
    the colour circle.

    Args:
        strength: Float s in [0, 1.25].
        probability: Float in [0, 1], share of images that are changed.
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`.

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, appendix A.
    """

    def __init__(self, strength=1.0, probability=0.8, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= strength <= 1.25:
            raise ValueError(f"`strength` must be in [0, 1.25], got {strength}.")
        _base.check_probability("probability", probability)
        self.strength = strength
        self.probability = probability

    def process(self, images, training, seed):
        if not training or self.strength == 0:
            return images
        for_factors, for_order, for_choice = _base.split_seed(seed, 3)
        spread = 0.8 * self.strength
        draws = _base.uniform(for_factors, images, -1.0, 1.0, columns=4)
        factors = 1.0 + spread * draws[:, :3]
        shifts = 0.2 * self.strength * draws[:, 3]
        parameters = tf.concat([factors, shifts[:, tf.newaxis]], axis=1)  # [B, 4]
        order = tf.argsort(_base.uniform(for_order, images, columns=4))  # [B, 4]
        jitter = _base.chosen(for_choice, images, self.probability)
        for slot in range(4):
            # Images whose operation it is now are changed together; the rest wait.
            operation = tf.where(jitter, order[:, slot], len(_OPERATIONS))
            images = _apply(images, operation, parameters)
        return images

    def get_config(self):
        return {
            **super().get_config(),
            "strength": self.strength,
            "probability": self.probability,
        }


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomGrayscale(_base.ImageLayer):
    """Takes the colour out of some images, as `tf.image.rgb_to_grayscale` does.

    Args:
        probability: Float in [0, 1].
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`.
    """

    def __init__(self, probability=0.2, **kwargs):
        super().__init__(**kwargs)
        _base.check_probability("probability", probability)
        self.probability = probability

    def process(self, images, training, seed):
        if not training:
            return images
        gray = _base.per_image(_base.chosen(seed, images, self.probability))
        return tf.where(gray, tf.image.rgb_to_grayscale(images), images)

    def get_config(self):
        return {**super().get_config(), "probability": self.probability}


def adjust_brightness(images, factors):
    """Multiplies images `[B, H, W, 3]` by factors `[B]`."""
    return images * _base.per_image(factors)


def adjust_contrast(images, factors):
    """Moves each channel of images away from its mean, by factors `[B]`."""
    mean = tf.reduce_mean(images, axis=[1, 2], keepdims=True)
    return mean + (images - mean) * _base.per_image(factors)


def adjust_saturation(images, factors):
    """Multiplies the saturation of images by factors `[B]`, up to full saturation."""
    return _in_hsv(images, saturation=_base.per_image(factors)[..., 0])


def adjust_hue(images, shifts):
    """Turns the hue of images by shifts `[B]`, in parts of the circle."""
    return _in_hsv(images, hue=_base.per_image(shifts)[..., 0])


def _in_hsv(images, hue=0.0, saturation=1.0):
    h, s, v = tf.unstack(tf.image.rgb_to_hsv(images), axis=-1)
    h = tf.math.floormod(h + hue, 1.0)
    s = tf.clip_by_value(s * saturation, 0.0, 1.0)
    return tf.image.hsv_to_rgb(tf.stack([h, s, v], axis=-1))


_OPERATIONS = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)


def _apply(images, operation, parameters):
    """Each image through the operation of its number `[B]`; past the last, none."""
    groups = len(_OPERATIONS) + 1
    places = tf.range(tf.shape(images)[0])
    parts = tf.dynamic_partition(images, operation, groups)
    values = tf.dynamic_partition(parameters, operation, groups)
    places = tf.dynamic_partition(places, operation, groups)
    for number, adjust in enumerate(_OPERATIONS):
        changed = adjust(parts[number], values[number][:, number])
        parts[number] = tf.clip_by_value(changed, 0.0, 1.0)
    result = tf.dynamic_stitch(places, parts)
    return tf.reshape(result, tf.shape(images))
