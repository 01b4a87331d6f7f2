"""What an image file means: from its bytes to pixels."""

import tensorflow as tf


def decode(encoded):
    """uint8 RGB `[H, W, 3]` of one encoded image."""
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return tf.ensure_shape(image, [None, None, 3])
