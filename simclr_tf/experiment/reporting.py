"""A page about a run: `--mode=report`, and the end of `--mode=train_then_eval`."""

import dataclasses
import os

import numpy as np
import tensorflow as tf

from simclr_tf import atomic, data, report
from simclr_tf.augmentation import EvaluationCrop
from simclr_tf.data import preview
from simclr_tf.errors import UserError
from simclr_tf.evaluation import extract_features
from simclr_tf.experiment import (
    checkpoints,
    files,
    loading,
    networks,
    reading,
    splits,
    views,
)
from simclr_tf.experiment.config import RunConfig
from simclr_tf.report import contents, filters, folder, machine, pictures, repeating
from simclr_tf.training import _common

_THUMBNAIL = 96
_GALLERY = 6  # images
_PAIRED = 256  # images whose views are compared
_NO_FILTERS = "the first layer has no filters on colours."
# What reading images may end in; whatever else fails is a mistake of ours.
_FAILURES = (UserError, OSError, tf.errors.OpError)


def write(config, say=print):
    """Writes `report.html` and `report_pairs.csv` to the folder of a run.

    Args:
        config: `RunConfig`.
        say: Callable that prints a line for the user.

    Returns:
        List of the paths that were written.

    Raises:
        UserError: If there is no checkpoint, or the folder cannot be written.
    """
    found = collect(config, say)
    files.make_directory(config.model_dir)
    page, pairs = report.render(found)
    paths = [os.path.join(config.model_dir, "report.html")]
    atomic.write(paths[0], page.encode("utf-8", "replace"))
    if pairs is not None:
        paths.append(os.path.join(config.model_dir, "report_pairs.csv"))
        atomic.write(paths[1], pairs.encode("utf-8", "surrogateescape"))
    for path in paths:
        say(f"Report: {path}")
    return paths


def config_of(run_dir):
    """The `RunConfig` that the newest checkpoint of a folder was made with.

    Raises:
        UserError: If there is no checkpoint.
    """
    prefix = checkpoints.find(run_dir, "model_dir", say=lambda line: None)
    about = checkpoints.describe(prefix, "model_dir")
    config = RunConfig.of_flags(about.get("flags", {}))
    return dataclasses.replace(
        config,
        mode="report",
        model_dir=run_dir,
        checkpoint=None,
        model=checkpoints.networks_of(about),
        data=dataclasses.replace(config.data, image_size=about["image_size"]),
    )


def collect(config, say=print):
    """Everything that the report of a run shows, as `report.Contents`.

    Raises:
        UserError: If there is no checkpoint.
    """
    prefix, flag = checkpoints.chosen(config, say)
    about = checkpoints.describe(prefix, flag)
    run_dir = os.path.dirname(prefix)
    say(f"Report on {prefix}.")
    model, step = loading.load(config)
    notes = []
    flags = _or_note(lambda: folder.read_flags(run_dir))
    results = _or_note(lambda: folder.read_results(run_dir))
    for found in (flags, results):
        notes += [found] if isinstance(found, str) else []
    flags = flags if isinstance(flags, dict) else about.get("flags", {})
    results_step, rows = results if isinstance(results, tuple) else (None, {})
    curves = folder.read_curves(os.path.join(run_dir, "train"))
    # What was trained on depends on the mode that trained.
    trained = dataclasses.replace(config, mode=flags.get("mode", "train"))
    quiet = notes.append
    learned = _or_note(lambda: splits.open_training(trained, lambda line: None))
    judged = _or_note(lambda: splits.open_for_evaluators(config, False, quiet))
    if isinstance(judged, str) and not isinstance(learned, str):
        notes.append(f"Judged on training images: {judged}")
        judged = learned
    samples = {
        source: _or_note(lambda source=source: _sample(config, model, source))
        for source in {learned, judged}
    }
    shown = samples[judged]
    weights = filters.first_filters(model.encoder.trainable_weights)
    return contents.Contents(
        folder=config.model_dir,
        title=os.path.basename(os.path.abspath(run_dir)),
        facts={
            "Encoder": f"{networks.encoder_name(config)}, "
            f"{networks.parameter_count(model.encoder.trainable_variables):,} weights",
            "Images": _described(config, about),
            "Image size": f"{config.data.image_size} px",
            "Steps": f"{step:,} of {about['train_steps']:,}"
            if about.get("train_steps")
            else f"{step:,}",
            **machine.speed(curves, config.train.train_batch_size),
            "Seed": str(about["seed"]),
            **machine.facts(),
        },
        flags=repeating.changed(flags, RunConfig().flags()),
        command=repeating.command(flags, RunConfig().flags(), about["seed"]),
        batch_size=config.train.train_batch_size,
        train_mode=about["train_mode"],
        num_classes=about["num_classes"] or _classes(shown),
        step=step,
        curves=curves,
        results_step=results_step,
        rows=rows,
        judged=shown,
        predicted=_predicted(config, model, about, shown),
        learned=samples[learned],
        gallery=_or_note(lambda: _gallery(config, learned, about["seed"])),
        projections=_or_note(lambda: _projections(config, model, learned, about)),
        filters="The first layer has no filters on colours."
        if weights is None
        else weights,
        notes=notes,
    )


def _or_note(make):
    """What a function gives; where the user's files fail it, a str that says why."""
    try:
        return make()
    except _FAILURES as error:
        text = error.message if isinstance(error, tf.errors.OpError) else str(error)
        return (text.splitlines() or [type(error).__name__])[0]


def _sample(config, model, source):
    """`Sample` of a source: random images of it, see `_part`; of a note, the note."""
    if isinstance(source, str):
        return source
    part, rows = _part(source, config.report.report_images)
    bad = data.BadImages(part, reading.policy(config))
    batches = data.eval_batches(
        part,
        config.eval.eval_batch_size,
        EvaluationCrop(config.data.image_size),
        bad_images=bad,
    )
    small = []

    def noted():
        for batch in batches:
            images = batch[0] if isinstance(batch, tuple) else batch
            small.append(pictures.thumbnails(images, _THUMBNAIL))
            yield batch

    with bad.counted():
        found = extract_features(model.encoder, noted(), part.num_examples)
    kept = np.setdiff1d(np.arange(part.num_examples), bad.indices)
    names = part.file_names() if part.names_at_hand else None
    return contents.Sample(
        split=source.name,
        total=source.num_examples,
        numbers=rows[kept],
        thumbnails=np.concatenate(small)[kept],
        features=found.features[kept],
        labels=None if found.labels is None else found.labels[kept],
        class_names=source.class_names,
        files=None if names is None else [names[row] for row in kept],
    )


def _part(source, most):
    """Up to `most` random images of a source, and their numbers in it.

    Of a source that is read in order, the first.
    """
    rows = np.arange(min(most, source.num_examples))
    if source.random_access and source.num_examples > most:
        random = np.random.RandomState(0)
        rows = np.sort(random.choice(source.num_examples, most, replace=False))
    return data.Subset(source, rows), rows


def _gallery(config, source, seed):
    if isinstance(source, str):
        return source
    return preview.draw_rows(source, views.build_views(config, seed), _GALLERY, 1, seed)


def _projections(config, model, source, about):
    """Projections of the two views of training images, in inference mode."""
    if isinstance(source, str):
        return source
    if about["train_mode"] != "pretrain":
        return f"--train_mode={about['train_mode']} compares no views."
    layers = views.build_views(config, about["seed"])[:2]
    part, _ = _part(source, _PAIRED)
    bad = data.BadImages(part, reading.policy(config))
    batches = data.train_batches(
        part, part.num_examples, 1, view=layers, seed=about["seed"], bad_images=bad
    )
    with bad.counted():
        batch = next(iter(batches))
    pair = batch[0] if part.num_classes else batch
    return tuple(_project(model, view, config.eval.eval_batch_size) for view in pair)


def _project(model, images, size):
    projections = []
    for start in range(0, len(images), size):
        piece = model.encoder(images[start : start + size], training=False)
        stages = _common.hidden_layers(
            model.projection_head, _common.pooled(piece), training=False
        )
        projections.append(stages[-1].numpy())
    return np.concatenate(projections)


def _predicted(config, model, about, sample):
    """The classes that the linear head sees, where it knows those of the sample."""
    if isinstance(sample, str) or model.linear_head is None or not sample.has_labels:
        return None
    same_labels = about.get("probe_dataset") == config.data.probe_dataset
    if not same_labels or model.num_classes != len(sample.class_names):
        return None
    return np.argmax(model.classify(sample.features), axis=1)


def _classes(sample):
    known = not isinstance(sample, str) and sample.class_names
    return len(sample.class_names) if known else None


def _described(config, about):
    count = about.get("num_examples")
    images = f"{count:,} images" if count else "images"
    settings = config.data
    return f"{images} of {settings.dataset}, split {settings.train_split}"
