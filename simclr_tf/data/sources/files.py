"""Image files, decoded when they are read."""

import os

import tensorflow as tf

from simclr_tf.data.images import decode
from simclr_tf.data.sources.base import Source


class FileSource(Source):
    """Image files, decoded when they are read: JPEG, PNG, GIF's first frame, BMP.

    Args:
        paths: List of str.
        labels: Int list of the same length, or None.
        class_names: Tuple of str, or None.
        name: Str.

    Raises:
        UserError: If a file is not an image that can be read.
    """

    def __init__(self, paths, labels=None, class_names=None, name="files"):
        self.paths = list(paths)
        super().__init__(
            name, len(paths), class_names, labels=labels, file_names=self.paths
        )
        self._paths = tf.constant([os.fsencode(path) for path in self.paths])
        self._labels = None if labels is None else tf.constant(labels, tf.int64)

    def read(self, index):
        image = decode(tf.io.read_file(tf.gather(self._paths, index)))
        if self._labels is None:
            return image
        return image, tf.gather(self._labels, index)

    def file_names(self):
        return list(self.paths)
