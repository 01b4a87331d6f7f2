"""The images of a run: opened as the flags say, the bad ones named in its folder."""

import os

import numpy as np

from simclr_tf import data, distribution
from simclr_tf.data import image_list

_LIST = "images.json.gz"
_BAD = "bad_images.txt"


def remembered_training_images(config):
    """The files that a run began with, for one that resumes; None where none are kept.

    A file that is gone or broken since then is met and skipped at its place, so that
    every step shows what it would have shown.

    Args:
        config: `RunConfig`.

    Returns:
        `FileSource` or None.

    Raises:
        UserError: If the list cannot be read.
    """
    path = os.path.join(config.model_dir, _LIST)
    return image_list.load(path, _words(config)) if os.path.exists(path) else None


def remember_training_images(config, source):
    """Writes the list of files that `remembered_training_images` reads."""
    image_list.save(os.path.join(config.model_dir, _LIST), source, _words(config))


def policy(config):
    """The `BadImagePolicy` of the flags."""
    settings = config.data
    return data.BadImagePolicy(
        settings.on_bad_image, settings.max_bad_fraction, settings.max_image_pixels
    )


def bad_images(config, source, say):
    """`BadImages` of a source, which names them to the user and in the run's folder."""
    path = os.path.join(config.model_dir, _BAD)
    return data.BadImages(source, policy(config), path, say)


def bad_of_all(strategy, bad):
    """What every process has met of bad images, as sorted int64 indices.

    Args:
        strategy: `tf.distribute.Strategy`; all its processes must call this.
        bad: `BadImages`.
    """
    most = max(distribution.from_all(strategy, len(bad.indices)))
    met = bad.indices + [-1] * (most - len(bad.indices))
    found = [distribution.from_all(strategy, index) for index in met]
    found = np.unique(np.array(found, np.int64))
    return found[found >= 0]


def _words(config):
    settings = config.data
    return {
        "dataset": settings.dataset,
        "split": settings.train_split,
        "data_dir": settings.data_dir,
    }
