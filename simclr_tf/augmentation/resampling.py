"""Bicubic resampling of boxes of single pictures or of batches.

A single picture, of any size, is cropped before its pixels are resampled. In a batch of
images of one size, the boxes, flips and changes of size are one pair of matrices: rows
`[B, S, H]` and columns `[B, S, W]`. This needs no loop and is meant for small pictures.

The results are those of `tf.image.resize(method="bicubic")` on the cropped box, except
that its coefficients are rounded to a table of 1024. As there and in the published
code, pixels are not averaged when a box becomes smaller; `simclr_tf.data.decoding` does
that in some cases.
"""

import tensorflow as tf


def resample(images, boxes, size, flip=None):
    """Crops a box of every image, resizes it, and mirrors it if asked.

    Args:
        images: Float32 `[B, H, W, 3]`.
        boxes: Int32 `[B, 4]` or `[1, 4]`: top, left, height, width, in pixels.
        size: `(height, width)` of the result.
        flip: Bool `[B]` or None, which to mirror left to right.

    Returns:
        Float32 `[B, height, width, 3]`; may slightly exceed the images' range.
    """
    if images.shape[0] == 1:
        flip = None if flip is None else flip[0]
        return resample_one(images[0], boxes[0], size, flip)[tf.newaxis]
    top, left, height, width = tf.unstack(boxes, axis=1)
    count, down, across, _ = tf.unstack(tf.shape(images))
    rows = _matrix(top, height, size[0], down)  # [B, S, H]
    columns = _matrix(left, width, size[1], across, flip)  # [B, T, W]
    # Height and width change places twice, so that each is next to be summed over while
    # the other and the channels are one long row.
    lines = _product(rows, images, [count, size[0], across, 3])
    lines = tf.transpose(lines, [0, 2, 1, 3])  # [B, W, S, 3]
    lines = _product(columns, lines, [count, size[1], size[0], 3])
    return tf.transpose(lines, [0, 2, 1, 3])


def resample_one(image, box, size, flip=None):
    """The same of one image `[H, W, 3]` of any dtype and one box `[4]`.

    Args:
        image: uint8 or float; the result has the same range, as float32.
        box: Int32 `[4]`.
        size: `(height, width)` of the result.
        flip: Bool scalar or None.

    Returns:
        Float32 `[height, width, 3]`.
    """
    top, left, height, width = tf.unstack(box)
    image = image[top : top + height, left : left + width]
    image = tf.cast(tf.image.resize(image, size, "bicubic"), tf.float32)
    if flip is None:
        return image
    return tf.cond(flip, lambda: tf.reverse(image, [1]), lambda: image)


def _product(matrices, images, shape):
    """Product `[B, S, .., ..]` of matrices `[B, S, H]` and images `[B, H, .., ..]`."""
    rows = tf.reshape(images, [shape[0], -1, shape[2] * shape[3]])
    return tf.reshape(tf.matmul(matrices, rows), shape)


def _matrix(start, length, size, full, reverse=None):
    """Weights `[B, size, full]` of the source pixels for every target pixel.

    Half-pixel centres, no antialiasing. Taps outside of the box are dropped, and the
    others scaled to sum to 1. Target pixels are in reverse order where `reverse`, a
    bool `[B]`, is true.
    """
    start = tf.cast(start, tf.float32)[:, tf.newaxis]  # [B, 1]
    length = tf.cast(length, tf.float32)[:, tf.newaxis]
    targets = (tf.range(size, dtype=tf.float32) + 0.5) / size
    if reverse is not None:
        targets = tf.where(reverse[:, tf.newaxis], targets[::-1], targets)
    centres = start + targets * length - 0.5  # [B, size]
    pixels = tf.range(tf.cast(full, tf.float32))  # [full]
    weights = keys_cubic(pixels - centres[..., tf.newaxis])
    inside = (pixels >= start) & (pixels < start + length)  # [B, full]
    weights *= tf.cast(inside, tf.float32)[:, tf.newaxis]
    return weights / tf.reduce_sum(weights, axis=-1, keepdims=True)


def keys_cubic(distance):
    """Bicubic kernel with a = -0.5 at a distance in pixels.

    Reference: Keys 1981, https://doi.org/10.1109/TASSP.1981.1163711, equation 15. The
    two cubics are computed as the outer one plus, within 1, the difference to the inner
    one, which needs few operations.
    """
    to_two = tf.maximum(2.0 - tf.abs(distance), 0.0)
    beyond = to_two - 1.0
    to_one = tf.maximum(beyond, 0.0)
    outer = 0.5 * beyond * tf.square(to_two)
    return outer + (1.0 - 2.0 * to_one) * tf.square(to_one)
