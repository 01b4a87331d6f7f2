"""Data sets that can only be read in their own order."""

import tensorflow as tf

from simclr_tf.data import threads
from simclr_tf.data.sources.base import Source


class SequentialSource(Source):
    """A data set that can only be read in its own order, such as a large TFDS one.

    Args:
        dataset: Unbatched `tf.data.Dataset` of elements for `parse`, always in the same
            order.
        num_examples: Int.
        class_names: Tuple of str, or None.
        image_shape: `(H, W, 3)` or None.
        name: Str.
        parse: Callable in graph mode from an element to `(image, label)` or `image`,
            images uint8 `[H, W, 3]`; None if the elements are that already.
        labels: Int `[N]`, a function that reads it, or None.
        file_names: List of `N` str, a function that reads it, or None.
    """

    random_access = False

    def __init__(
        self,
        dataset,
        num_examples,
        class_names,
        image_shape,
        name,
        parse=None,
        labels=None,
        file_names=None,
    ):
        super().__init__(
            name, num_examples, class_names, image_shape, labels, file_names
        )
        self._dataset, self._parse = dataset, parse

    def as_dataset(self, mask=None):
        dataset = self._dataset
        if mask is not None:
            wanted = tf.constant(mask)
            dataset = dataset.enumerate().filter(lambda number, _: wanted[number])
            dataset = dataset.map(lambda _, element: element)
        if self._parse is None:
            return dataset
        return dataset.map(self._parse, **threads.per_image())
