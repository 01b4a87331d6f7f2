"""The model of a run that is evaluated, embedded or exported."""

import contextlib
import dataclasses

from tensorflow import keras

from simclr_tf import optimizers
from simclr_tf.experiment import checkpoints, networks


def load(config, strategy=None, say=print):
    """The model in the newest checkpoint of a run, or in `--checkpoint`.

    Train mode, classes and heads are taken from the checkpoint, not from the flags.

    Args:
        config: `RunConfig`.
        strategy: `tf.distribute.Strategy`; None for one device.
        say: Callable that prints a line for the user.

    Returns:
        `(model, step)`.

    Raises:
        UserError: If there is no checkpoint, or it holds another network.
    """
    prefix, flag = checkpoints.chosen(config, say)
    about = checkpoints.describe(prefix, flag)
    model, wanted = build_as(config, about, strategy)
    checkpoints.require_same(prefix, flag, wanted)
    checkpoints.fill(prefix, model.encoder, model.projection_head, model.linear_head)
    return model, checkpoints.step_of(prefix)


def build_as(config, about, strategy=None):
    """The model for a checkpoint, without its weights.

    Args:
        config: `RunConfig`.
        about: Dict, the checkpoint's `description`, which wins over the config for the
            train mode, the classes, and the layer below the linear head.
        strategy: `tf.distribute.Strategy`; None for one device.

    Returns:
        `(model, wanted)`, the second being the `description` that the checkpoint must
        have.
    """
    config = dataclasses.replace(
        config,
        train=dataclasses.replace(
            config.train,
            train_mode=about["train_mode"],
            ft_proj_selector=about["ft_proj_selector"],
            memory_size=0,  # of training alone
        ),
    )
    keras.mixed_precision.set_global_policy(config.train.precision)
    schedule = optimizers.WarmupCosine(1.0, 0, 1)
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = networks.build_model(config, schedule, about["num_classes"])
    return model, checkpoints.description(config, model, about["seed"])
