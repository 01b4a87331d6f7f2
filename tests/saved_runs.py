"""Runs in folders as a training leaves them, saved without one."""

import os

import flags
from simclr_tf import optimizers
from simclr_tf.experiment import checkpoints, files, networks, saving


def save(arguments, step, num_examples, num_classes=2):
    """Saves the checkpoint of untrained networks as that of a run's last step.

    Args:
        arguments: List of str, flags of the run, with its `--model_dir`.
        step: Int, the last step.
        num_examples: Int, the images of the training split.
        num_classes: Int.
    """
    config, values = flags.parse(["run.py", *arguments], print)
    schedule = optimizers.WarmupCosine(1.0, 0, step)
    model = networks.build_model(config, schedule, num_classes)
    about = checkpoints.description(
        config, model, 1, train_steps=step, num_examples=num_examples
    )
    os.makedirs(config.model_dir)
    saving.Keeper(model, about, config.model_dir, keep=1).save(step, figures={})
    files.write_json(os.path.join(config.model_dir, "flags.json"), values)
