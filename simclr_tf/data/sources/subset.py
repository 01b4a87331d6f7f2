"""A part of a source, and a source with other labels."""

import numpy as np
import tensorflow as tf

from simclr_tf.data.sources.base import Source


class Subset(Source):
    """Some examples of a source, in the source's order and with its classes.

    Args:
        source: `Source`. If it has random access, so does the subset; otherwise it is
            filtered, without decoding what is left out.
        indices: Ints in `0 .. N - 1`, each once.

    Raises:
        ValueError: If there are none, or one is out of range or occurs twice.

    Example:
        >>> from simclr_tf.data import open_source
        >>> Subset(open_source("bundled"), [7, 5]).labels().shape
        (2,)
    """

    def __init__(self, source, indices):
        indices = np.sort(np.asarray(indices, np.int64))
        within = len(indices) and indices[0] >= 0 and indices[-1] < source.num_examples
        if not within or np.any(np.diff(indices) == 0):
            raise ValueError(
                f"`indices` must be in 0 .. {source.num_examples - 1}, each once and "
                f"at least one, got {indices}."
            )
        super().__init__(
            source.name,
            len(indices),
            source.class_names,
            source.image_shape,
            _taken(source.labels(), indices)
            if source.labels_at_hand
            else lambda: _taken(source.labels(), indices),
            _taken(source.file_names(), indices)
            if source.names_at_hand
            else lambda: _taken(source.file_names(), indices),
        )
        self.random_access = source.random_access
        self.encoded, self.skipped = source.encoded, source.skipped
        self.notes = source.notes
        if hasattr(source, "paths"):
            self.paths = _taken(source.paths, indices)
        self._source, self._indices = source, indices

    @property
    def origin(self):
        return self._source.origin

    def read(self, index):
        return self._source.read(tf.gather(self._indices, index))

    def read_encoded(self, index):
        return self._source.read_encoded(tf.gather(self._indices, index))

    def as_dataset(self, mask=None):
        of_source = np.zeros([self._source.num_examples], bool)
        of_source[self._indices if mask is None else self._indices[mask]] = True
        return self._source.as_dataset(of_source)


class Relabelled(Source):
    """The images of a source that has labels, with other labels.

    Args:
        source: `Source` with labels.
        labels: Int `[N]`, -1 where a label is hidden.
    """

    def __init__(self, source, labels):
        super().__init__(
            source.name,
            source.num_examples,
            source.class_names,
            source.image_shape,
            labels,
            source.file_names,
        )
        self.random_access = source.random_access
        self.encoded, self.skipped = source.encoded, source.skipped
        self.notes = source.notes
        if hasattr(source, "paths"):
            self.paths = source.paths
        self._source, self._labels = source, tf.constant(labels, tf.int64)

    @property
    def origin(self):
        return self._source.origin

    def read(self, index):
        image, _ = self._source.read(index)
        return image, tf.gather(self._labels, index)

    def read_encoded(self, index):
        encoded, _ = self._source.read_encoded(index)
        return encoded, tf.gather(self._labels, index)

    def as_dataset(self, mask=None):
        labels = self.labels() if mask is None else self.labels()[mask]
        examples = tf.data.Dataset.zip(
            (self._source.as_dataset(mask), tf.data.Dataset.from_tensor_slices(labels))
        )
        return examples.map(lambda example, label: (example[0], label))


def _taken(values, indices):
    if values is None or isinstance(values, np.ndarray):
        return None if values is None else values[indices]
    return [values[index] for index in indices]
