"""Reads every image of a data set and reports on them: `--mode=check`."""

from simclr_tf import data
from simclr_tf.experiment import splits


def check(config, say=print):
    """Prints the report of `data.check` on `--train_split` of `--dataset`.

    Args:
        config: `RunConfig`, of which only `data` is used.
        say: Callable that prints a line for the user.

    Raises:
        UserError: If the data set cannot be opened.
    """
    for line in data.check(splits.open_to_check(config), config.data.max_image_pixels):
        say(line)
