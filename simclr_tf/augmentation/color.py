"""Colour distortion."""

import functools

import tensorflow as tf
from tensorflow import keras

from simclr_tf.augmentation import _base, _chance


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomColorJitter(_chance.ChangeSome):
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
        super().__init__(probability, **kwargs)
        if not 0 <= strength <= 1.25:
            raise ValueError(f"`strength` must be in [0, 1.25], got {strength}.")
        self.strength = strength

    def process(self, images, training, seed):
        if self.strength == 0:
            return images
        return super().process(images, training, seed)

    def choose(self, images, seed):
        for_factors, for_order, for_choice = _base.split_seed(seed, 3)
        spread = 0.8 * self.strength
        draws = _base.uniform(for_factors, images, -1.0, 1.0, columns=4)
        factors = 1.0 + spread * draws[:, :3]
        shifts = 0.2 * self.strength * draws[:, 3]
        parameters = tf.concat([factors, shifts[:, tf.newaxis]], axis=1)  # [B, 4]
        order = tf.argsort(_base.uniform(for_order, images, columns=4))  # [B, 4]
        probability = self.probability if self.strength else 0.0
        return _base.chosen(for_choice, images, probability), parameters, order

    def change(self, images, parameters, order):
        planes = tf.transpose(images, [0, 3, 1, 2])  # neighbours have one channel
        planes = _in_turns(
            # Images whose adjustment it is now are changed together.
            lambda slot, planes: _adjust_some(planes, order[:, slot], parameters),
            planes,
        )
        return tf.transpose(planes, [0, 2, 3, 1])

    @staticmethod
    def change_planes(planes, parameters, order):
        def turn(slot, planes):
            def changed(adjust, parameter):  # clipped within the pass that changes
                return tf.clip_by_value(adjust(planes, parameter), 0.0, 1.0)

            branches = [
                functools.partial(changed, adjust, parameters[number])
                for number, adjust in enumerate(_ADJUSTMENTS)
            ]
            return tf.switch_case(order[slot], branches)

        return _in_turns(turn, planes)

    def get_config(self):
        return {**super().get_config(), "strength": self.strength}


@keras.utils.register_keras_serializable(package="simclr_tf")
class RandomGrayscale(_chance.ChangeSome):
    """Turns some images to grey, as `tf.image.rgb_to_grayscale` does.

    Args:
        probability: Float in [0, 1].
        **kwargs: `seed` and those of `keras.layers.Layer`.

    Call arguments, returns: see `ImageLayer`.
    """

    def __init__(self, probability=0.2, **kwargs):
        super().__init__(probability, **kwargs)

    def choose(self, images, seed):
        return (_base.chosen(seed, images, self.probability),)

    def change(self, images):
        return tf.broadcast_to(tf.image.rgb_to_grayscale(images), tf.shape(images))

    @staticmethod
    def change_planes(planes):
        gray = tf.image.rgb_to_grayscale(tf.transpose(planes, [1, 2, 0]))
        return tf.broadcast_to(gray[..., 0], tf.shape(planes))


def adjust_brightness(planes, factors):
    """Multiplies images `[.., 3, H, W]` by factors `[..]`."""
    return planes * _base.per_image(factors)


def adjust_contrast(planes, factors):
    """Scales the distance of each channel of images `[.., 3, H, W]` from its mean."""
    mean = tf.reduce_mean(planes, axis=-2, keepdims=True)  # of neighbours in turn
    mean = tf.reduce_mean(mean, axis=-1, keepdims=True)
    factors = _base.per_image(factors)
    return planes * factors + mean * (1.0 - factors)


def adjust_saturation(planes, factors):
    """Multiplies the saturation of images `[.., 3, H, W]`, up to full saturation.

    Saturation is (largest - smallest) / largest of the three channels, as in HSV. The
    largest stays, and the distance of the others from it is scaled.
    """
    largest, chroma = _largest_and_chroma(planes)
    full = tf.math.divide_no_nan(largest, chroma)
    return largest - (largest - planes) * tf.minimum(_base.per_image(factors), full)


def adjust_hue(planes, shifts):
    """Turns the hue of images `[.., 3, H, W]` by `[..]`, shares of the colour circle.

    On a circle of 6, red is at 0, green at 2, blue at 4.
    """
    red, green, blue = tf.split(planes, 3, axis=-3)
    largest, chroma = _largest_and_chroma(planes)
    others = tf.where(
        largest == green, blue - red + 2.0 * chroma, red - green + 4.0 * chroma
    )
    hue = tf.where(largest == red, green - blue, others)
    hue = tf.math.divide_no_nan(hue, chroma) + 6.0 * _base.per_image(shifts)
    hue -= 6.0 * tf.floor(hue / 6.0)
    # |hue - 3| - 1 is red's share, 2 - |hue - 2| green's, 2 - |hue - 4| blue's.
    centers, signs, offsets = (
        tf.reshape(tf.constant(of_channels), [3, 1, 1])
        for of_channels in ([3.0, 2.0, 4.0], [1.0, -1.0, -1.0], [-1.0, 2.0, 2.0])
    )
    shares = signs * tf.abs(hue - centers) + offsets
    return largest - chroma + chroma * tf.clip_by_value(shares, 0.0, 1.0)


def _largest_and_chroma(planes):
    """`[.., 1, H, W]`: the largest channel, and how far the smallest is below it."""
    red, green, blue = tf.split(planes, 3, axis=-3)
    largest = tf.maximum(tf.maximum(red, green), blue)
    return largest, largest - tf.minimum(tf.minimum(red, green), blue)


_ADJUSTMENTS = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)


def _in_turns(turn, planes):
    """Applies `turn(slot, planes)` for each of the four slots, traced only once."""

    def next_turn(slot, planes):
        return slot + 1, turn(slot, planes)

    turns = len(_ADJUSTMENTS)
    return tf.while_loop(
        lambda slot, _: slot < turns, next_turn, (0, planes), maximum_iterations=turns
    )[1]


def _adjust_some(planes, numbers, parameters):
    """Applies to each image the adjustment of its number, grouped by number.

    Args:
        planes: Float32 `[B, 3, H, W]`.
        numbers: Int32 `[B]`.
        parameters: Float32 `[B, 4]`, of every adjustment.

    Returns:
        Float32 `[B, 3, H, W]` in [0, 1].
    """
    groups = len(_ADJUSTMENTS)
    places = tf.range(tf.shape(planes)[0])
    parts = tf.dynamic_partition(planes, numbers, groups)
    values = tf.dynamic_partition(parameters, numbers, groups)
    places = tf.dynamic_partition(places, numbers, groups)
    for number, adjust in enumerate(_ADJUSTMENTS):
        changed = adjust(parts[number], values[number][:, number])
        parts[number] = tf.clip_by_value(changed, 0.0, 1.0)
    result = tf.dynamic_stitch(places, parts)
    return tf.ensure_shape(tf.reshape(result, tf.shape(planes)), planes.shape)
