"""A page about a run: `--mode=report`, and the end of `--mode=train_then_eval`."""

import dataclasses
import os

import numpy as np
import tensorflow as tf

from simclr_tf import atomic, report
from simclr_tf.errors import UserError
from simclr_tf.evaluation import features
from simclr_tf.experiment import (
    checkpoints,
    files,
    loading,
    networks,
    sampling,
    splits,
)
from simclr_tf.experiment.config import RunConfig
from simclr_tf.report import filters, folder, machine, repeating

_NO_FILTERS = "the first layer has no filters on colours."


def show(config, say=print):
    """Writes the report of a run, or of `--runs` side by side.

    Args:
        config: `RunConfig`.
        say: Callable that prints a line for the user.

    Raises:
        UserError: If there is nothing to report on, or it cannot be written.
    """
    if config.report.runs is None:
        write(config, say)
        return
    runs = [os.path.expanduser(run.strip()) for run in config.report.runs.split(",")]
    path = os.path.join(config.model_dir or "", "comparison.html")
    report.compare(runs, path)
    say(f"Report: {path}")


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
    files.require_possible(config.model_dir)
    page, pairs = report.render(collect(config, say))
    files.make_directory(config.model_dir)
    contents = {"report.html": page.encode("utf-8", "replace")}
    if pairs is not None:
        contents["report_pairs.csv"] = pairs.encode("utf-8", "surrogateescape")
    paths = []
    for name, content in contents.items():
        paths.append(os.path.join(config.model_dir, name))
        try:
            atomic.write(paths[-1], content)
        except OSError as error:
            raise UserError(
                f"--model_dir: {paths[-1]} cannot be written: {error.strerror}."
            ) from error
        say(f"Report: {paths[-1]}")
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
    """Everything that the report of a run shows.

    Args:
        config: `RunConfig`.
        say: Callable that prints a line for the user.

    Returns:
        `report.Contents`.

    Raises:
        UserError: If there is no checkpoint.
    """
    prefix, flag = checkpoints.chosen(config, say)
    about = checkpoints.describe(prefix, flag)
    say(f"Report on {prefix}.")
    model, step = loading.load(config)
    train = dataclasses.replace(config.train, train_mode=about["train_mode"])
    config = dataclasses.replace(config, train=train)
    run_dir = os.path.dirname(prefix)
    curves = folder.read_curves(os.path.join(run_dir, "train"))
    flags, results, notes = _written(run_dir, about)
    learned, judged = _open(config, flags.get("mode", "train"), notes)
    spectra = _of(
        judged, lambda one: sampling.spectra(config, model.encoder, prefix, one)
    )
    speed = machine.speed(curves, config.train.train_batch_size)
    if not isinstance(spectra, str):
        curves["train/effective_rank"] = sampling.ranks(spectra)
    defaults = RunConfig().flags()
    return report.Contents(
        folder=config.model_dir,
        title=os.path.basename(os.path.abspath(run_dir)),
        facts=_facts(config, model, step, about, flags) | speed | machine.facts(),
        flags=repeating.changed(flags, defaults),
        command=repeating.command(flags, defaults, about["seed"]),
        batch_size=config.train.train_batch_size,
        train_mode=about["train_mode"],
        step=step,
        curves=curves,
        spectra=spectra,
        results_step=results[0],
        rows=results[1],
        notes=notes,
        **_shown(config, model, about, learned, judged),
    )


def _shown(config, model, about, learned, judged):
    """What the networks make of images, or notes: fields of `Contents`."""
    extract = features.extractor(model.encoder, constant=True)
    samples = {
        one: _of(one, lambda source: sampling.sample(config, extract, source))
        for one in {learned, judged}
    }
    seed = about["seed"]
    weights = filters.first_filters(model.encoder.trainable_weights)
    return {
        "learned": samples[learned],
        "judged": samples[judged],
        "predicted": _predicted(config, model, about, samples[judged]),
        "num_classes": about["num_classes"] or _num_classes(samples[judged]),
        "gallery": _of(learned, lambda one: sampling.gallery(config, one, seed)),
        "projections": _of(
            learned, lambda one: sampling.projections(config, model, one, seed)
        ),
        "filters": _NO_FILTERS if weights is None else weights,
    }


def _written(run_dir, about):
    """Flags, `(step, rows)` of evaluators, and notes about what cannot be read."""
    notes = []
    flags = _or_note(lambda: folder.read_flags(run_dir))
    results = _or_note(lambda: folder.read_results(run_dir))
    if isinstance(flags, str):
        notes.append(flags)
        flags = about.get("flags", {})
    if isinstance(results, str):
        notes.append(results)
        results = None, {}
    return flags, results, notes


def _open(config, mode, notes):
    """The images that were trained on, and those that are judged; or notes."""
    if config.data.dataset is None:
        return 2 * ("no data set is known of this run: give --dataset.",)
    # What is held out depends on the mode that trained.
    trained = dataclasses.replace(config, mode=mode)
    learned = _or_note(lambda: splits.open_training(trained, lambda line: None))
    judged = _or_note(lambda: splits.open_for_evaluators(config, False, notes.append))
    if isinstance(judged, str) and not isinstance(learned, str):
        notes.append(f"Training images stand in for the evaluation split: {judged}")
        judged = learned
    return learned, judged


def _of(source, make):
    """What a function makes of a source; of a note, the note."""
    return source if isinstance(source, str) else _or_note(lambda: make(source))


def _or_note(make):
    """What a function gives; where the user's files fail it, a str that says why."""
    try:
        return make()
    except (UserError, OSError) as error:
        text = str(error)
    except tf.errors.OpError as error:
        text = error.message
    return (text.splitlines() or ["it cannot be read."])[0]


def _predicted(config, model, about, sample):
    """The classes that the linear head sees, where it knows those of the sample."""
    if isinstance(sample, str) or model.linear_head is None or not sample.has_labels:
        return None
    same_labels = about.get("probe_dataset") == config.data.probe_dataset
    if not same_labels or model.num_classes != len(sample.class_names):
        return None
    return np.argmax(model.classify(sample.features), axis=1)


def _num_classes(sample):
    known = not isinstance(sample, str) and sample.has_labels
    return len(sample.class_names) if known else None


def _facts(config, model, step, about, flags):
    """What was trained, in words."""
    count, total = about.get("num_examples"), about.get("train_steps")
    parameters = networks.parameter_count(model.encoder.trainable_variables)
    images = f"{count:,} images" if count else "images"
    dataset = flags.get("dataset", config.data.dataset)
    split = flags.get("train_split", config.data.train_split)
    return {
        "Encoder": f"{networks.encoder_name(config)}, {parameters:,} weights",
        "Images": f"{images} of {dataset}, split {split}",
        "Image size": f"{config.data.image_size} px",
        "Steps": f"{step:,} of {total:,}" if total else f"{step:,}",
        "Seed": str(about["seed"]),
    }
