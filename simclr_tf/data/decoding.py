"""From a file's bytes to crops of it, decoding only what the crops show.

Boxes are drawn from the height and width in the header. Then the smallest box around
all of them is decoded, once; a JPEG at 1/2, 1/4 or 1/8 of its size, as long as no crop
becomes smaller than its result. Such a reduction changes the pixels: the decoder
averages squares of 2, 4 or 8 pixels (by leaving out high frequencies of the cosine
transform), so fine texture is smoothed where a plain bicubic resize, which only reads 4
x 4 pixels, would alias. And a box is rounded to whole pixels of the reduced picture, so
it may be off by half a pixel.
"""

import tensorflow as tf

from simclr_tf.augmentation.resampling import resample_one
from simclr_tf.data import images


def crops(encoded, draw, sizes, max_pixels=images.MAX_PIXELS):
    """Some crops of one picture.

    Args:
        encoded: String scalar, the bytes of an image file.
        draw: Callable from heights and widths, int32 `[V, 2]`, to `(boxes, flips)`:
            int32 `[V, 4]` and bool `[V]`, or None if nothing is mirrored, like `draw`
            of `RandomResizedCrop` and `EvaluationCrop`.
        sizes: `V` ints, height and width of each result.
        max_pixels: Int, pixels of the largest picture that is allowed.

    Returns:
        Tuple of `V` float32 `[S, S, 3]` in [0, 1].
    """
    header = images.read_header(encoded, max_pixels)
    shape = header.upright_shape
    boxes, flips = draw(tf.tile(shape[tf.newaxis], [len(sizes), 1]))
    ratio = images.largest_ratio(header, boxes[:, 2:], sizes)
    boxes = _reduced_boxes(boxes, images.reduced(shape, ratio), ratio)
    around = _box_around(boxes)
    pixels = images.decode_box(encoded, header, around, ratio)
    boxes -= tf.concat([around[:2], [0, 0]], axis=0)
    flips = [None] * len(sizes) if flips is None else tf.unstack(flips, len(sizes))
    every = zip(tf.unstack(boxes, len(sizes)), sizes, flips, strict=True)
    return tuple(_crop(pixels, *one) for one in every)


def _crop(pixels, box, size, flip):
    crop = resample_one(pixels, box, (size, size), flip) * (1 / 255)
    return tf.ensure_shape(tf.clip_by_value(crop, 0.0, 1.0), [size, size, 3])


def _reduced_boxes(boxes, shape, ratio):
    """Boxes `[V, 4]` in the picture at `1 / ratio` of its size, with that shape."""
    start = tf.minimum((boxes[:, :2] + ratio // 2) // ratio, shape - 1)
    end = tf.minimum((boxes[:, :2] + boxes[:, 2:] + ratio // 2) // ratio, shape)
    return tf.concat([start, tf.maximum(end - start, 1)], axis=1)


def _box_around(boxes):
    """The smallest box `[4]` that holds boxes `[V, 4]`."""
    start = tf.reduce_min(boxes[:, :2], axis=0)
    end = tf.reduce_max(boxes[:, :2] + boxes[:, 2:], axis=0)
    return tf.concat([start, end - start], axis=0)
