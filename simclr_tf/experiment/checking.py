"""Reads every image of a data set and reports on them: `--mode=check`."""

import dataclasses

from simclr_tf.data.check import examine
from simclr_tf.experiment import splits, suggesting
from simclr_tf.experiment.config import RunConfig


def check(config, say=print):
    """Prints the report of `data.check` on `--train_split` of `--dataset`.

    Below it stands a command to start with, see `suggesting.suggest`.

    Args:
        config: `RunConfig`, of which `data` and `model_dir` are used.
        say: Callable that prints a line for the user.

    Raises:
        UserError: If the data set cannot be opened.
    """
    found = examine(splits.open_to_check(config), config.data.max_image_pixels)
    for line in found.lines:
        say(line)
    count = len(found.shapes)
    if count < 2:
        return
    for line in suggesting.lines(count, found.typical_side, _place(config)):
        say(line)


def _place(config):
    """The flags that say which images, and where the run goes."""
    given, default = config.data, RunConfig().data
    flags = {
        field.name: getattr(given, field.name)
        for field in dataclasses.fields(given)
        if field.name != "image_size"
        and getattr(given, field.name) != getattr(default, field.name)
    }
    flags["dataset"] = given.dataset
    flags["model_dir"] = config.model_dir or "runs/mine"
    return [f"--{name}={value}" for name, value in flags.items()]
