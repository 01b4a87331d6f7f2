"""The small interface that all sources of images share."""

import collections

import numpy as np
import tensorflow as tf

from simclr_tf.data import threads
from simclr_tf.printing import printable

_REASONS = 5  # so many of them a summary names


class Source:
    """Images, and their labels if there are any, by number.

    Attributes:
        name: Str, for people.
        num_examples: Int `N`.
        class_names: Tuple of str, or None if images have no labels.
        image_shape: `(H, W, 3)`, or None if images differ in size.
        random_access: Bool, whether there is a `read`.
        encoded: Bool, whether examples are files: `read_encoded(index)` then returns
            their bytes, and `read` pictures.
        skipped: List of `(file, reason)`, files left out on opening.
        bad: List of those among them that are unreadable images.
        notes: List of str, lines for the user.
    """

    random_access = True
    encoded = False
    skipped = ()
    bad = ()
    notes = ()

    def __init__(
        self,
        name,
        num_examples,
        class_names=None,
        image_shape=None,
        labels=None,
        file_names=None,
    ):
        self.name = name
        self.num_examples = num_examples
        self.class_names = class_names
        self.image_shape = image_shape
        # Each a sequence, a function that reads one when it is asked for, or None.
        self._read_labels, self._read_file_names = labels, file_names

    @property
    def origin(self):
        """The source of which this one is a part or another view, or itself."""
        return self

    @property
    def num_classes(self):
        """Int, or None if images have no labels."""
        return None if self.class_names is None else len(self.class_names)

    def labels(self):
        """All labels in order, without decoding an image.

        Returns:
            NumPy int64 `[N]`, -1 for unknown labels; None if there are none.
        """
        labels = _called(self._read_labels)
        return None if labels is None else np.asarray(labels, np.int64)

    def file_names(self):
        """All file names in order, without decoding an image.

        Returns:
            List of str, paths or base names; None if images have no names.
        """
        names = _called(self._read_file_names)
        return None if names is None else list(names)

    @property
    def labels_at_hand(self):
        """Bool, whether `labels` are available without reading the data."""
        return not callable(self._read_labels)

    @property
    def names_at_hand(self):
        """Bool, whether `file_names` are available without reading the data."""
        return not callable(self._read_file_names)

    def summary(self):
        """A summary for people.

        Returns:
            List of str: the smallest and the largest class if known, what was skipped
            and why, and `notes`.
        """
        return [*self._class_sizes(), *self.reasons(), *self.notes]

    def _class_sizes(self):
        labels = self.labels() if self.labels_at_hand else None
        if labels is None or not self.num_classes:
            return []
        sizes = np.bincount(labels[labels >= 0], minlength=self.num_classes)
        ends = [
            f"{self.class_names[label]} {sizes[label]:,}"
            for label in (sizes.argmin(), len(sizes) - 1 - sizes[::-1].argmax())
        ]
        line = f"smallest class {ends[0]}, largest {ends[1]}"
        unlabelled = int(np.sum(labels < 0))
        return [line + (f", {unlabelled:,} unlabelled" if unlabelled else "")]

    def reasons(self):
        """Why examples were skipped, one line per reason."""
        reasons = collections.Counter(reason for _, reason in self.skipped)
        first = dict(reversed([(reason, file) for file, reason in self.skipped]))
        return [
            f"skipped {count:,}: {reason} ({printable(first[reason])}"
            f"{', ...' * (count > 1)})"
            for reason, count in reasons.most_common(_REASONS)
        ]

    def read(self, index):
        """Reads examples by number, in graph mode.

        Args:
            index: Int64 scalar, or `[B]` if all images have one size.

        Returns:
            `(images, labels)`, or `images` if there are no labels: uint8
            `[.., H, W, 3]` and int64.
        """
        raise NotImplementedError

    def as_dataset(self, mask=None):
        """Unbatched `tf.data.Dataset` of every example once, in order.

        Args:
            mask: Bool `[N]`, the examples to include; others are not decoded. None
                includes all.
        """
        numbers = tf.data.Dataset.range(self.num_examples)
        if mask is not None:
            numbers = tf.data.Dataset.from_tensor_slices(np.flatnonzero(mask))
        return numbers.map(self.read, **threads.per_image())


def _called(value):
    return value() if callable(value) else value
