"""The images of a run: opened as the flags say, the bad ones named in its folder."""

import os

import numpy as np

from simclr_tf import data, distribution
from simclr_tf.data import image_list

_LIST = "images.json.gz"
_BAD = "bad_images.txt"


def open_split(config, split):
    """A split of the data set of the flags.

    Args:
        config: `RunConfig`.
        split: Str.

    Returns:
        `Source`.

    Raises:
        UserError: If it cannot be opened, or too many of its images are bad.
    """
    settings = config.data
    return data.open_source(settings.dataset, split, settings.data_dir, policy(config))


def open_training_images(config, resumes):
    """The training split; of a run that resumes, the files that it began with.

    A file that is gone or broken since then is met and skipped at its place, so that
    every step shows what it would have shown.

    Args:
        config: `RunConfig`.
        resumes: Bool, whether `--model_dir` has a checkpoint already.

    Returns:
        `Source`.

    Raises:
        UserError: As of `open_split`.
    """
    path = os.path.join(config.model_dir, _LIST)
    if resumes and os.path.exists(path):
        source = image_list.load(path, _words(config))
        if source is not None:
            return source
    return open_split(config, config.data.train_split)


def remember_training_images(config, source):
    """Writes the list of files that `open_training_images` takes up again."""
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
