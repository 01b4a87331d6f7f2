"""The images of a run, opened as the flags say, and the list of bad ones."""

import os

import numpy as np

from simclr_tf import data, distribution
from simclr_tf.data import image_list

# By the flag of a data set: the flag of its split, and the list of its files.
_LISTS = {
    "dataset": ("train_split", "images.json.gz"),
    "probe_dataset": ("probe_split", "probe_images.json.gz"),
}
_BAD = "bad_images.txt"


def remembered_images(config, flag="dataset"):
    """The files with which a resumed run began; None if there is no list of them.

    A file that has vanished or broken since then is skipped at its place, so that every
    step sees the images that it would have seen.

    Args:
        config: `RunConfig`.
        flag: Str, "dataset" or "probe_dataset".

    Returns:
        `FileSource` or None.

    Raises:
        UserError: If the list cannot be read.
    """
    path = _list_of(config, flag)
    return image_list.load(path, _words(config, flag)) if os.path.exists(path) else None


def remember_images(config, source, flag="dataset"):
    """Writes the list of files that `remembered_images` reads."""
    image_list.save(_list_of(config, flag), source, _words(config, flag))


def policy(config):
    """The `BadImagePolicy` of the flags."""
    settings = config.data
    return data.BadImagePolicy(
        settings.on_bad_image, settings.max_bad_fraction, settings.max_image_pixels
    )


def bad_images(config, source, say):
    """`BadImages` of a source, reported to the user and in the run's folder."""
    path = os.path.join(config.model_dir, _BAD)
    return data.BadImages(source, policy(config), path, say)


def bad_of_all(strategy, bad):
    """The bad images that all processes have met, as sorted int64 indices.

    Args:
        strategy: `tf.distribute.Strategy`; all its processes must call this.
        bad: `BadImages`.
    """
    most = max(distribution.from_all(strategy, len(bad.indices)))
    met = bad.indices + [-1] * (most - len(bad.indices))
    found = [distribution.from_all(strategy, index) for index in met]
    found = np.unique(np.array(found, np.int64))
    return found[found >= 0]


def _list_of(config, flag):
    return os.path.join(config.model_dir, _LISTS[flag][1])


def _words(config, flag):
    settings = config.data
    return {
        "dataset": getattr(settings, flag),
        "split": getattr(settings, _LISTS[flag][0]),
        "data_dir": settings.data_dir,
    }
