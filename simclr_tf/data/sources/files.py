"""Image files, decoded when they are read."""

import os

import tensorflow as tf

from simclr_tf.data import checks
from simclr_tf.data.bad_image_policy import SKIP_FEW
from simclr_tf.data.images import MAX_PIXELS, decode
from simclr_tf.data.sources.base import Source


class FileSource(Source):
    """Image files of every kind in `simclr_tf.data.images`.

    Bad files are left out and listed in `skipped`. All headers are checked, and up to
    1000 files are decoded.

    Args:
        paths: List of str.
        labels: Int list of the same length, or None.
        class_names: Tuple of str, or None.
        name: Str.
        policy: `BadImagePolicy`; None takes the files without checking them.

    Raises:
        UserError: If more files are bad than the policy allows.
    """

    encoded = True

    def __init__(
        self,
        paths,
        labels=None,
        class_names=None,
        name="files",
        policy=SKIP_FEW,
    ):
        paths = list(paths)
        skipped = []
        if policy is not None:
            problems = checks.find_bad(paths, policy.max_image_pixels)
            examined = list(zip(paths, problems, strict=True))
            skipped = [(path, problem) for path, problem in examined if problem]
            policy.require_few(skipped, len(paths))
            good = [place for place, problem in enumerate(problems) if not problem]
            paths = [paths[place] for place in good]
            labels = None if labels is None else [labels[place] for place in good]
        self._max_pixels = policy.max_image_pixels if policy else MAX_PIXELS
        self.paths = paths
        super().__init__(
            name, len(paths), class_names, labels=labels, file_names=self.paths
        )
        self.skipped = self.bad = skipped
        # What would keep a reader waiting fails as an empty name does.
        readable = paths if policy else checks.never_waiting(paths)
        self._paths = tf.constant([os.fsencode(path) for path in readable])
        self._labels = None if labels is None else tf.constant(labels, tf.int64)

    def read(self, index):
        encoded, *label = tf.nest.flatten(self.read_encoded(index))
        image = decode(encoded, max_pixels=self._max_pixels)
        return (image, *label) if label else image

    def read_encoded(self, index):
        """The bytes of a file and its label, or the bytes alone; graph mode."""
        encoded = tf.io.read_file(tf.gather(self._paths, index))
        if self._labels is None:
            return encoded
        return encoded, tf.gather(self._labels, index)

    def file_names(self):
        return list(self.paths)
