"""A figure of the filters of an encoder's first layer."""

import math

import numpy as np

from simclr_tf.report import style

_MOST = 128
_ENLARGED = 48  # pixels of an enlarged filter; its own pixels become squares


def first_filters(weights):
    """The filters of the first convolution over RGB channels.

    Args:
        weights: Sequence of a network's variables, in order, or of arrays.

    Returns:
        Float32 `[h, w, 3, F]`; None if no weight has such a shape.
    """
    for weight in weights:
        if len(weight.shape) == 4 and weight.shape[2] == 3 and weight.shape[3] > 1:
            return np.asarray(weight, "float32")
    return None


def draw_filters(filters):
    """A figure of filters, the strongest first, each scaled to its own range.

    Args:
        filters: Float `[h, w, 3, F]`; only the strongest 128 are shown.

    Returns:
        `matplotlib.figure.Figure`.

    Example:
        >>> draw_filters(np.random.RandomState(0).randn(3, 3, 3, 16))
        <Figure size ...>
    """
    filters = np.moveaxis(np.asarray(filters, "float32"), 3, 0)  # [F, h, w, 3]
    strength = np.abs(filters).sum(axis=(1, 2, 3))
    filters = filters[np.argsort(-strength, kind="stable")[:_MOST]]
    columns = min(16, max(4, math.ceil(math.sqrt(2 * len(filters)))))
    rows = math.ceil(len(filters) / columns)
    scale = max(1, _ENLARGED // filters.shape[1])
    most = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    pixels = 0.5 + 0.5 * filters / np.maximum(most, 1e-12)
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    cell = np.array(pixels.shape[1:3]) + scale // 2
    sheet = np.zeros([rows * cell[0], columns * cell[1], 4], "float32")
    for number, picture in enumerate(pixels):
        top, left = np.array(divmod(number, columns)) * cell
        place = sheet[top : top + picture.shape[0], left : left + picture.shape[1]]
        place[..., :3], place[..., 3] = picture, 1
    axes = style.axes(520, max(60, 520 * rows // columns))
    axes.imshow(sheet, interpolation="none", aspect="equal")
    axes.set_axis_off()
    return axes.figure
