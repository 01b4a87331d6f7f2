"""The modes of the command, each a few calls."""

import dataclasses
import os

from simclr_tf import distribution
from simclr_tf.experiment import checkpoints, evaluation, files, training


def run(config, flag_values, say=print):
    """Carries out one `RunConfig`; with several workers, each calls it.

    Args:
        config: `RunConfig`.
        flag_values: Dict, every flag and its value, for `flags.json`.
        say: Callable that prints a line for the user; only the chief calls it.

    Raises:
        UserError: For anything that the user can put right.
        WorkerLostError: If another worker stops.
    """
    strategy = distribution.make_strategy(**dataclasses.asdict(config.devices))
    chief = distribution.is_chief(strategy)
    with distribution.naming_lost_workers(strategy):
        _run(config, flag_values, strategy, chief, say if chief else _say_nothing)
        distribution.from_all(strategy, 0)  # nobody leaves before the chief is done


def _run(config, flag_values, strategy, chief, say):
    splits = evaluation.Splits(config, strategy) if "eval" in config.mode else None
    if "train" in config.mode:
        session = training.prepare(config, strategy, say)
        if splits is not None:
            splits.require_classes(session.model.num_classes)
        if chief:
            files.make_directory(config.model_dir)
            files.write_json(os.path.join(config.model_dir, "flags.json"), flag_values)
        prefix = training.train(session, say)
        say(f"Checkpoint: {prefix}")
        model, step = session.model, checkpoints.step_of(prefix)
    else:
        prefix = config.checkpoint
        model, step = training.load(config, strategy)
        if splits is not None:
            splits.require_classes(model.num_classes)
        if chief:
            files.make_directory(config.model_dir)
    if splits is not None:
        evaluation.evaluate(config, model, step, splits, say)
    elif config.mode == "train":
        say(f"Next: python run.py --mode=eval --model_dir={config.model_dir}")
        return
    if not chief:
        return
    if strategy.num_replicas_in_sync > 1:
        # Variables of replicas belong to all: a copy on this device alone is saved.
        model, step = training.load(dataclasses.replace(config, checkpoint=prefix))
    path = evaluation.export_model(config, model, step)
    say(f"SavedModel: {path}")
    say(
        "Next: encoder = tf.saved_model.load("
        f"{os.path.relpath(path)!r}).signatures['serving_default']"
    )


def _say_nothing(line):
    pass
