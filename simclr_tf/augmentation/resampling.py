"""Bicubic resampling of boxes: cut first where a picture comes alone, else in batches.

A picture that comes alone is cut before its pixels are resampled, whatever its size.
In a batch of one size, a box of every image, its flip and the change of size are one
pair of matrices: rows `[B, S, H]` and columns `[B, S, W]`. That needs no loop, and
serves where pictures are small.

The figures are those of `tf.image.resize(method="bicubic")` on the cropped box, whose
coefficients are rounded to a table of 1024. As there and in the published code, nothing
is averaged where a box becomes smaller: see `simclr_tf.data.decoding` for what is.
"""

import tensorflow as tf


def resample(images, boxes, size, flip=None):
    """Crops a box of every image, resizes it, and mirrors it where asked.

    Args:
        images: Float32 `[B, H, W, 3]`.
        boxes: Int32 `[B, 4]` or `[1, 4]`: top, left, height, width, in pixels.
        size: `(height, width)` of the result.
        flip: Bool `[B]` or None, which to mirror left to right.

    Returns:
        Float32 `[B, height, width, 3]`; may pass slightly out of the images' range.
    """
    if images.shape[0] == 1:
        flip = None if flip is None else flip[0]
        return resample_one(images[0], boxes[0], size, flip)[tf.newaxis]
    top, left, height, width = tf.unstack(boxes, axis=1)
    rows = _matrix(top, height, size[0], tf.shape(images)[1])  # [B, S, H]
    columns = _matrix(left, width, size[1], tf.shape(images)[2])  # [B, S, W]
    if flip is not None:
        columns = tf.where(flip[:, tf.newaxis, tf.newaxis], columns[:, ::-1], columns)
    count, _, across, _ = tf.unstack(tf.shape(images))
    lines = tf.reshape(images, [count, -1, across * 3])
    lines = tf.reshape(tf.matmul(rows, lines), [count, size[0], across, 3])
    columns = tf.broadcast_to(columns, [count, size[1], across])
    return tf.einsum("btw,bswc->bstc", columns, lines)


def resample_one(image, box, size, flip=None):
    """The same of one image `[H, W, 3]` of any dtype and one box `[4]`.

    Args:
        image: uint8 or float; the result has its range, as float32.
        box: Int32 `[4]`.
        size: `(height, width)` of the result.
        flip: Bool scalar or None.

    Returns:
        Float32 `[height, width, 3]`.
    """
    top, left, height, width = tf.unstack(box)
    image = image[top : top + height, left : left + width]
    if flip is not None:  # first, while pixels may still be bytes
        image = tf.cond(flip, lambda: tf.reverse(image, [1]), lambda: image)
    # Of floats, because every pixel is read several times and would be converted then.
    return tf.image.resize(tf.cast(image, tf.float32), size, "bicubic")


def _matrix(start, length, size, full):
    """Weights `[B, size, full]` of the source pixels for every target pixel.

    Half-pixel centres, no antialiasing; taps outside of the box are dropped and the
    others scaled to sum to 1.
    """
    start, length = tf.cast(start, tf.float32), tf.cast(length, tf.float32)
    targets = (tf.range(size, dtype=tf.float32) + 0.5) / size
    centres = start[:, tf.newaxis] + targets * length[:, tf.newaxis] - 0.5  # [B, S]
    pixels = tf.range(tf.cast(full, tf.float32))  # [full]
    weights = keys_cubic(pixels - centres[..., tf.newaxis])
    first = start[:, tf.newaxis, tf.newaxis]
    inside = (pixels >= first) & (pixels < first + length[:, tf.newaxis, tf.newaxis])
    weights = tf.where(inside, weights, 0.0)
    return weights / tf.reduce_sum(weights, axis=-1, keepdims=True)


def keys_cubic(distance):
    """Bicubic kernel with a = -0.5 at a distance in pixels.

    Reference: Keys 1981, https://doi.org/10.1109/TASSP.1981.1163711, equation 15.
    """
    x = tf.abs(distance)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return tf.where(x <= 1.0, near, tf.where(x < 2.0, far, 0.0))
