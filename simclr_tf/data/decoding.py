"""From a file's bytes to crops of it, and no more is decoded than the crops show.

Boxes are drawn from the height and width in the header. Then the smallest box around
all of them is decoded, once; of a JPEG at 1/2, 1/4 or 1/8 of its size, as long as no
crop becomes smaller than what it is resized to. What a reduction does to the pixels:
the decoder averages squares of 2, 4 or 8 pixels (by leaving out high frequencies of
the cosine transform), so that fine texture is smoothed where a plain bicubic resize,
which looks at 4 x 4 pixels only, would alias; and a box is rounded to whole pixels of
the reduced picture, so that it may lie off by half of one.
"""

import tensorflow as tf

from simclr_tf.augmentation.resampling import resample_one
from simclr_tf.data import images


def crops(encoded, layers, seeds, max_pixels=images.MAX_PIXELS):
    """The crops that some layers take of one picture.

    Args:
        encoded: String scalar, the bytes of an image file.
        layers: Sequence of layers with `image_size` and `draw`, such as
            `RandomResizedCrop` and `EvaluationCrop`.
        seeds: Sequence of int `[2]`, one a layer, as of the layer's call.
        max_pixels: Int, pixels of the largest picture that is allowed.

    Returns:
        Tuple of float32 `[S, S, 3]` in [0, 1], one a layer.
    """
    header = images.read_header(encoded, max_pixels)
    shapes = header.upright_shape[tf.newaxis]
    draws = [
        layer.draw(shapes, seed) for layer, seed in zip(layers, seeds, strict=True)
    ]
    boxes = tf.concat([box for box, _ in draws], axis=0)  # [V, 4]
    sizes = [layer.image_size for layer in layers]
    ratio = images.largest_ratio(header, boxes[:, 2:], sizes)
    boxes = _reduced_boxes(boxes, images.reduced(header.upright_shape, ratio), ratio)
    around = _box_around(boxes)
    pixels = images.decode_box(encoded, header, around, ratio)
    boxes -= tf.concat([around[:2], [0, 0]], axis=0)
    return tuple(
        _crop(pixels, boxes[number], size, flip)
        for number, (size, (_, flip)) in enumerate(zip(sizes, draws, strict=True))
    )


def _crop(pixels, box, size, flip):
    flip = None if flip is None else flip[0]
    crop = resample_one(pixels, box, (size, size), flip) / 255.0
    return tf.ensure_shape(tf.clip_by_value(crop, 0.0, 1.0), [size, size, 3])


def _reduced_boxes(boxes, shape, ratio):
    """Boxes `[V, 4]` in the picture of `1 / ratio` of the size and of that shape."""
    start = tf.minimum((boxes[:, :2] + ratio // 2) // ratio, shape - 1)
    end = tf.minimum((boxes[:, :2] + boxes[:, 2:] + ratio // 2) // ratio, shape)
    return tf.concat([start, tf.maximum(end - start, 1)], axis=1)


def _box_around(boxes):
    """The smallest box `[4]` that holds boxes `[V, 4]`."""
    start = tf.reduce_min(boxes[:, :2], axis=0)
    end = tf.reduce_max(boxes[:, :2] + boxes[:, 2:], axis=0)
    return tf.concat([start, end - start], axis=0)
