"""The modes of the command, each a few calls."""

import os

from simclr_tf.experiment import checkpoints, evaluation, files, training


def run(config, flag_values, say=print):
    """Carries out one `RunConfig`.

    Args:
        config: `RunConfig`.
        flag_values: Dict, every flag and its value, for `flags.json`.
        say: Callable that prints a line for the user.

    Raises:
        UserError: For anything that the user can put right.
    """
    splits = evaluation.Splits(config) if "eval" in config.mode else None
    if "train" in config.mode:
        session = training.prepare(config, say)
        if splits is not None:
            splits.require_classes(session.model.num_classes)
        files.make_directory(config.model_dir)
        files.write_json(os.path.join(config.model_dir, "flags.json"), flag_values)
        prefix = training.train(session, say)
        say(f"Checkpoint: {prefix}")
        model, step = session.model, checkpoints.step_of(prefix)
    else:
        model, step = training.load(config)
        if splits is not None:
            splits.require_classes(model.num_classes)
        files.make_directory(config.model_dir)
    if splits is not None:
        evaluation.evaluate(config, model, step, splits, say)
    elif config.mode == "train":
        say(f"Next: python run.py --mode=eval --model_dir={config.model_dir}")
        return
    path = evaluation.export_model(config, model, step)
    say(f"SavedModel: {path}")
    say(
        "Next: encoder = tf.saved_model.load("
        f"{os.path.relpath(path)!r}).signatures['serving_default']"
    )
