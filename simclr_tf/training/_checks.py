"""Refuses data that `fit` cannot learn from, with a clear message.

Values are checked in the graph, for every batch. XLA and TPUs leave such checks out, so
`fit` also checks the first batch of arrays before it starts.
"""

import contextlib
import re

import tensorflow as tf

from simclr_tf.errors import UserError

_MARK = "simclr_tf: "
_FAILED = re.compile(rf"assertion failed: \[{_MARK}(.*?)\]\s*(?:\[\[|\[Op:|\n|$)")
# Resizing may pass the bounds of what it resizes by so much.
_OVERSHOOT = 0.25
# Views may be standardised, which leaves them within so many deviations.
_VIEW_BOUND = 16.0
_SHAPES = "[N, H, W, 3], or grey [N, H, W, 1] or [N, H, W]"


@contextlib.contextmanager
def in_words():
    """Turns a check that failed in the graph into a `UserError`."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        failed = _FAILED.search(str(error))
        if failed is None:
            raise
        raise UserError(failed[1].replace("] [", " ")) from None


def raw_images(images):
    """Converts images that `fit` accepts to `[B, H, W, 3]`, for augmentations.

    Args:
        images: uint8, uint16 or float in [0, 1], `[B, H, W, 3]`, or grey `[B, H, W, 1]`
            or `[B, H, W]`.

    Raises:
        UserError: If they have another dtype or shape. Values are checked in the graph,
            see `in_words`.
    """
    images = tf.convert_to_tensor(images)
    require_kind(images.dtype, images.shape)
    if images.dtype.is_floating:
        images = _within(
            images,
            -_OVERSHOOT,
            1 + _OVERSHOOT,
            "Float images must be in 0..1. Divide those in 0..255 by 255, or pass them "
            "as uint8; of those in -1..1 pass images / 2 + 0.5.",
        )
    return as_rgb(images)


def require_kind(dtype, shape):
    """Refuses batches whose dtype or shape is not that of images."""
    if dtype not in (tf.uint8, tf.uint16) and not dtype.is_floating:
        raise UserError(
            f"Images must be uint8 0..255 or float 0..1, got {dtype.name}: pass "
            "images.astype(uint8)."
        )
    if shape.rank is None:
        return
    channels = shape[-1] if shape.rank == 4 else 1
    if shape.rank in (3, 4) and channels in (1, 3, None):
        if shape.rank == 3 and shape[-1] == 3:
            raise UserError(
                f"Images must be {_SHAPES}, got {shape}, which is one image: pass "
                "images[None]."
            )
        return
    cure = ""
    if shape.rank == 4 and shape[1] in (1, 3):
        cure = ": the channels come first. Pass numpy.moveaxis(images, 1, -1)"
    elif channels == 4:
        cure = ": pass images[..., :3], without the fourth channel"
    raise UserError(f"Images must be {_SHAPES}, got {shape}{cure}.")


def as_rgb(images):
    """Images with three channels; those of grey ones are equal."""
    if images.shape.rank == 3:
        images = images[..., tf.newaxis]
    return tf.image.grayscale_to_rgb(images) if images.shape[-1] == 1 else images


def views(view):
    """Float views, if they are finite and not in 0..255."""
    return _within(
        view,
        -_VIEW_BOUND,
        _VIEW_BOUND,
        "Float views must be in 0..1, or standardised. Divide those in 0..255 by 255, "
        "or pass them as uint8.",
    )


def labels(labels, num_classes):
    """Int `[B]` labels, if each is a class, or -1 for an image without."""
    return _labels(labels, num_classes, -1, ", or -1 where an image has none.")


def known_labels(labels, num_classes):
    """Labels, indices or one-hot, if each image has one."""
    require_label_kind(labels, num_classes)
    if labels.shape.rank == 2 and labels.shape[-1] != 1:
        return labels
    return _labels(labels, num_classes, 0, ": leave out images without one (-1).")


def _labels(labels, num_classes, least, end):
    return _checked(
        labels,
        tf.reduce_all((labels >= least) & (labels < num_classes)),
        lambda: [
            f"Labels must be in 0..{num_classes - 1}, the classes of num_classes="
            f"{num_classes}{end}",
            *_range(labels),
        ],
    )


def require_label_kind(labels, num_classes):
    """Refuses labels whose dtype or shape is not that of labels."""
    dtype = tf.as_dtype(labels.dtype)
    if not (dtype.is_integer or dtype.is_floating or dtype.is_bool):
        raise UserError(
            f"Labels must be whole numbers in 0..{num_classes - 1}, got {dtype.name}."
        )
    columns = labels.shape[-1] if len(labels.shape) == 2 else 1
    if columns not in (1, num_classes, None):
        raise UserError(
            f"One-hot labels must have num_classes={num_classes} columns, got "
            f"{columns}."
        )


def require_labels_of_images(labels, loss):
    """Refuses batches without labels of the images themselves, which `loss` needs."""
    came = "no labels"
    if isinstance(labels, (tuple, list)):
        came = "other images with labels"
    elif labels is not None:
        return
    raise UserError(
        f"{type(loss).__name__} needs a label for each image, -1 where it is not "
        f"known, got {came}: pass (images, labels), or another loss to `compile`."
    )


def require_arrays(images, labels, batch_size, num_classes=None):
    """Refuses arrays whose problems can be seen before a step; labels may be None.

    Of the images' values, only those of the first batch are checked.
    """
    require_kind(tf.as_dtype(images.dtype), tf.TensorShape(images.shape))
    with in_words():
        raw_images(images[:batch_size])
    if num_classes and hasattr(labels, "dtype"):
        require_label_kind(labels, num_classes)


def several(views):
    """The views, if the batch has more than one image.

    With several replicas, each may have only one.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return views
    cure = "or dataset.batch(..., drop_remainder=True)"
    first, *rest = views
    first = _checked(first, tf.shape(first)[0] > 1, lambda: [alone(cure)])
    return first, *rest


def alone(cure):
    """The message for a batch of one image."""
    return (
        "A batch must have at least 2 images, got 1, which has no other to be told "
        f"from. Use another batch_size, {cure}."
    )


def _within(values, low, high, allowed):
    inside = tf.reduce_all((values >= low) & (values <= high))  # no NaN is
    return _checked(values, inside, lambda: [allowed, *_range(values)])


def _range(values):
    """The range of what was given, for the end of a message."""
    numbers = tf.cast(values, tf.float32)
    finite = tf.math.is_finite(numbers)
    strange = tf.reduce_sum(tf.cast(~finite, tf.int32))
    numbers = tf.where(finite, numbers, 0.0)
    low, high = tf.reduce_min(numbers), tf.reduce_max(numbers)
    return ["Got values from", low, "to", high, "and", strange, "NaN or infinite."]


def _checked(values, is_right, message):
    """`values`, after a check that they are right.

    Args:
        values: Tensor.
        is_right: Bool scalar tensor.
        message: Callable that returns strings and scalars, which are joined.
    """
    if isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy):
        return values

    def refuse():
        first, *rest = message()
        data = [f"{_MARK}{first}", *rest]
        tf.raw_ops.Assert(condition=False, data=data, summarize=1)
        return False

    with tf.control_dependencies([tf.cond(is_right, lambda: True, refuse)]):
        return tf.identity(values)
