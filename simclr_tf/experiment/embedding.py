"""Writes the features of a data set to files: `--mode=embed`."""

import os

from simclr_tf import distribution, export
from simclr_tf.experiment import checkpoints, evaluation, files, loading, splits
from simclr_tf.export import features


def embed(config, strategy, say=print):
    """Writes features of `--eval_split` of `--dataset`, labelled or not.

    Args:
        config: `RunConfig`. The encoder is taken from the checkpoint; labels, class
            names and file names from the data, if they are there.
        strategy: `tf.distribute.Strategy` for computing features.
        say: Callable that prints a line for the user.

    Returns:
        List of str, the paths that were written.

    Raises:
        UserError: For anything that the user can correct.
    """
    settings = config.data
    if "parquet" in config.eval.embed_formats:
        features.import_pyarrow()  # before hours of work for nothing
    source = splits.open_to_embed(config, say)
    prefix, _ = checkpoints.chosen(config, say)
    model, step = loading.load(config, strategy)
    chief = distribution.is_chief(strategy)
    if chief:
        files.make_directory(config.model_dir)
    say(f"Features of {source.name} from {prefix}.")
    for line in source.reasons():
        say(f"{source.name}: {line}.")
    found, rows = evaluation.features_of(
        model.encoder, source, config, strategy, config.eval.eval_steps
    )
    if not chief:
        return []
    count, dim = found.features.shape
    say(f"{count:,} of {source.num_examples:,} images, {dim} features each.")
    names = source.file_names()
    columns = {
        "labels": found.labels,
        "file_names": None if names is None else [names[row] for row in rows],
        "class_names": source.class_names,
    }
    name = f"{settings.eval_split.replace(os.sep, '_')}_{step}"
    return _write(config, name, found.features, columns, say)


def _write(config, name, rows, columns, say):
    """Writes every format of `--embed_formats`; returns the paths."""
    paths = []
    for kind in config.eval.embed_formats:
        if kind == "projector":
            path = os.path.join(config.model_dir, "projector")
            export.save_projector(path, rows, name=name, **columns)
            say(f"Projector: tensorboard --logdir={os.path.relpath(path)}")
        else:
            path = os.path.join(config.model_dir, "embeddings", f"{name}.{kind}")
            export.save_features(path, rows, **columns)
            say(f"Features: {path}")
        paths.append(path)
    return paths
