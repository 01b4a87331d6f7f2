"""Images in memory."""

import tensorflow as tf

from simclr_tf.data import threads
from simclr_tf.data.sources.base import Source


class ArraySource(Source):
    """Images in memory.

    Args:
        images: uint8 `[N, H, W, 3]`, or grey `[N, H, W]` or `[N, H, W, 1]`.
        labels: Int `[N]` or None.
        class_names: Sequence of str; None numbers the classes.
        name: Str.
        file_names: List of `N` str, a function that returns it, or None.

    Raises:
        ValueError: If shapes or dtypes differ from these.
    """

    def __init__(
        self, images, labels=None, class_names=None, name="arrays", file_names=None
    ):
        images = tf.convert_to_tensor(images)
        if images.shape.rank == 3:
            images = images[..., tf.newaxis]
        rgb_or_grey = images.shape.rank == 4 and images.shape[-1] in (1, 3)
        if images.dtype != tf.uint8 or not rgb_or_grey:
            raise ValueError(
                "`images` must be uint8 [N, H, W, 3], [N, H, W, 1] or [N, H, W], got "
                f"{images.dtype.name} {images.shape}."
            )
        if labels is not None:
            labels = tf.cast(labels, tf.int64)
            if labels.shape != images.shape[:1]:
                raise ValueError(
                    f"`labels` must be [{images.shape[0]}], got {labels.shape}."
                )
            if class_names is None:
                class_names = range(int(tf.reduce_max(labels)) + 1)
            class_names = tuple(str(name) for name in class_names)
        super().__init__(
            name,
            images.shape[0],
            class_names if labels is not None else None,
            (images.shape[1], images.shape[2], 3),
            labels,
            file_names,
        )
        self._images, self._labels = images, labels

    def read(self, index):
        images = tf.gather(self._images, index)
        if images.shape[-1] == 1:
            images = tf.image.grayscale_to_rgb(images)
        if self._labels is None:
            return images
        return images, tf.gather(self._labels, index)


def in_memory(source):
    """The same examples as an `ArraySource`; images must have one size."""
    batches = threads.fixed(source.as_dataset().batch(1024))
    parts = [batch if isinstance(batch, tuple) else (batch,) for batch in batches]
    arrays = [tf.concat(column, axis=0) for column in zip(*parts, strict=True)]
    return ArraySource(
        *arrays,
        class_names=source.class_names,
        name=source.name,
        file_names=source.file_names,
    )
