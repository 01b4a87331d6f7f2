"""Summaries for TensorBoard."""

import os

import tensorflow as tf

from simclr_tf.loggers.base import Logger


class TensorBoard(Logger):
    """Event files in `train/` and `eval/` of the run's folder.

    Args:
        run: `Run`.
    """

    errors = (tf.errors.OpError,)

    def __init__(self, run):
        self._folder = run.folder
        self._writers = {}

    def scalars(self, part, step, values):
        with self._writer(part).as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self._writer(part).flush()

    def images(self, step, images):
        with self._writer("train").as_default(step=step):
            for name, pictures in images.items():
                tf.summary.image(name, pictures, max_outputs=len(pictures))
        self._writer("train").flush()

    def close(self, error=None):
        for writer in self._writers.values():
            writer.close()

    def _writer(self, part):
        if part not in self._writers:
            folder = os.path.join(self._folder, part)
            self._writers[part] = tf.summary.create_file_writer(folder)
        return self._writers[part]
