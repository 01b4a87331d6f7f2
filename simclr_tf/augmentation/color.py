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
        planes = tf.transpose(images, [0, 3, 1, 2])  # neighbours have one channel
        for slot in range(4):
            # Images whose operation it is now are changed together; the rest wait.
            operation = tf.where(jitter, order[:, slot], len(_OPERATIONS))
            planes = _apply(planes, operation, parameters)
        return tf.transpose(planes, [0, 2, 3, 1])

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
        places = tf.where(_base.chosen(seed, images, self.probability))
        chosen = tf.gather_nd(images, places)
        gray = tf.broadcast_to(tf.image.rgb_to_grayscale(chosen), tf.shape(chosen))
        return tf.tensor_scatter_nd_update(images, places, gray)

    def get_config(self):
        return {**super().get_config(), "probability": self.probability}


def adjust_brightness(planes, factors):
    """Multiplies images `[B, 3, H, W]` by factors `[B]`."""
    return planes * _base.per_image(factors)


def adjust_contrast(planes, factors):
    """Moves each channel of images `[B, 3, H, W]` away from its mean by factors."""
    mean = tf.reduce_mean(planes, axis=[2, 3], keepdims=True)
    factors = _base.per_image(factors)
    return planes * factors + mean * (1.0 - factors)


def adjust_saturation(planes, factors):
    """Multiplies the saturation of images `[B, 3, H, W]`, up to full saturation.

    Saturation is (largest - smallest) / largest of the three channels, as in HSV; the
    largest stays, and the others move away from it.
    """
    largest, chroma = _largest_and_chroma(planes)
    full = tf.math.divide_no_nan(largest, chroma)
    return largest - (largest - planes) * tf.minimum(_base.per_image(factors), full)


def adjust_hue(planes, shifts):
    """Turns the hue of images `[B, 3, H, W]` by shifts `[B]`, in parts of the circle.

    On a circle of 6, red is at 0, green at 2, blue at 4.
    """
    red, green, blue = tf.split(planes, 3, axis=1)
    largest, chroma = _largest_and_chroma(planes)
    others = tf.where(
        largest == green, blue - red + 2.0 * chroma, red - green + 4.0 * chroma
    )
    hue = tf.where(largest == red, green - blue, others)
    hue = tf.math.divide_no_nan(hue, chroma) + 6.0 * _base.per_image(shifts)
    hue -= 6.0 * tf.floor(hue / 6.0)
    shares = tf.concat(
        [tf.abs(hue - 3.0) - 1.0, 2.0 - tf.abs(hue - 2.0), 2.0 - tf.abs(hue - 4.0)],
        axis=1,
    )
    return largest - chroma + chroma * tf.clip_by_value(shares, 0.0, 1.0)


def _largest_and_chroma(planes):
    """`[B, 1, H, W]`: the largest channel, and how far the smallest is below it."""
    red, green, blue = tf.split(planes, 3, axis=1)
    largest = tf.maximum(tf.maximum(red, green), blue)
    return largest, largest - tf.minimum(tf.minimum(red, green), blue)


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
