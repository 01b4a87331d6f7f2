"""Batches from data sets of single images."""

import tensorflow as tf

from simclr_tf.data import batched_views
from simclr_tf.training import _checks


def holds_single_images(data):
    """Whether `data` is a `tf.data.Dataset` of images that are not yet in batches.

    Both single images `[H, W, C]` and batches of grey images `[B, H, W]` have rank 3.
    """
    if not isinstance(data, tf.data.Dataset):
        return False
    shape = tf.nest.flatten(data.element_spec)[0].shape
    return shape.rank == 2 or (shape.rank == 3 and shape[-1] in (1, 3, None))


def batched(data, batch_size, augmentation=None):
    """Batches of a data set of single images, `image` or `(image, label)`.

    Images of one size are batched as they are. Images of different sizes cannot be
    batched, so the views are drawn first, one image at a time.

    Args:
        data: `tf.data.Dataset`.
        batch_size: Int, images per batch.
        augmentation: Layer that draws a view, or a tuple with one for each view; None
            if no views are wanted.

    Raises:
        ValueError: If images differ in size and no views are wanted.
    """
    if tf.nest.flatten(data.element_spec)[0].shape.is_fully_defined():
        return data.batch(batch_size).prefetch(tf.data.AUTOTUNE)
    if augmentation is None:
        raise ValueError(
            "Single images of different sizes cannot be batched: map them first with "
            "`simclr_tf.augmentation.EvaluationCrop(image_size)`."
        )
    layers = layers_of(augmentation)
    return batched_views(data.map(_in_colour), layers, batch_size, len(layers))


def _in_colour(image, *label):
    image = _checks.raw_images(image[tf.newaxis])[0]
    return (image, *label) if label else image


def layers_of(augmentation):
    """The layer of each view: those of a tuple, or one for both."""
    if isinstance(augmentation, (tuple, list)):
        return tuple(augmentation)
    return (augmentation, augmentation)


def is_views(data):
    """Whether a batch consists of views only: a tuple of images `[B, H, W, 3]`."""
    return (
        isinstance(data, (tuple, list))
        and len(data) > 1
        and all(getattr(part, "shape", None) is not None for part in data)
        and all(len(part.shape) == 4 for part in data)
    )
