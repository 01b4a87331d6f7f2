"""The splits of a run: for training, and for its evaluators."""

import contextlib
import dataclasses
import json
import os

from simclr_tf import data
from simclr_tf.errors import UserError
from simclr_tf.experiment import reading


def open_training(config, say, resumes=False):
    """The split to train on.

    If the data set has no split to evaluate on, a part is held out and not trained on,
    provided that the command evaluates or `--held_out_fraction` is given. Otherwise
    every image is trained on.

    Args:
        config: `RunConfig`.
        say: Callable that prints a line for the user.
        resumes: Bool, whether to take the files that the run began with.

    Returns:
        `Source`.

    Raises:
        UserError: If it cannot be opened.
    """
    settings = config.data
    found = _find(config)
    source = reading.remembered_images(config) if resumes else None
    source = source or _open(found, config, "train_split")
    if settings.probe_dataset or not _is_undivided(found, settings):
        return source
    held_out = _held_out(settings)
    if "eval" not in config.mode and settings.held_out_fraction is None:
        say(
            f"No split to evaluate on: all {source.num_examples:,} images are trained "
            "on. --held_out_fraction=0.1 or --mode=train_then_eval holds some out."
        )
        return source
    rest = held_out.rest(source)
    say(
        f"Held out to evaluate on, as there is no split for it: "
        f"{source.num_examples - rest.num_examples:,} of {source.num_examples:,} images"
        f" ({held_out.fraction:g} of each class, seed {held_out.seed})."
    )
    return rest


def open_for_evaluators(config, training, say, resumes=False):
    """The images from which evaluators learn, or on which they are judged.

    Args:
        config: `RunConfig`.
        training: Bool, whether to learn from.
        say: Callable that prints a line for the user.
        resumes: Bool, whether to take the files of `--probe_dataset` that a run, which
            learns from them too, began with.

    Returns:
        `Source`, of `--probe_dataset` if that is given.

    Raises:
        UserError: If it cannot be opened.
    """
    settings = config.data
    flag = "probe_dataset" if settings.probe_dataset else "dataset"
    learned_from = "probe_split" if settings.probe_dataset else "train_split"
    found = _find(config, flag)
    remembered = reading.remembered_images(config, flag) if resumes else None
    if not _is_undivided(found, settings):
        taken = learned_from if training else "eval_split"
        return remembered or _open(found, config, taken, flag, say)
    held_out = _held_out(settings)
    source = remembered or _open(found, config, learned_from, flag)
    if not source.num_classes:
        return source  # nothing to judge by, which is refused
    if training:
        return held_out.rest(source)
    if not settings.probe_dataset and _has_seen_all(config):
        say(
            "Warning: the images that are judged on were trained on as well, as "
            "--mode=train takes all where there is no split to evaluate on."
        )
    return held_out.part(source)


def open_to_embed(config, say):
    """`--eval_split`, or all images if there are no splits."""
    settings, found = config.data, _find(config)
    if _is_undivided(found, settings):
        say(f"No split {settings.eval_split}: all images are taken.")
        return _open(found, config, "train_split")
    return _open(found, config, "eval_split", say=say)


def open_to_prepare(config, say):
    """The splits of the flags, without holding out anything: a dict by name.

    Args:
        config: `RunConfig`.
        say: Callable that prints a line for the user.

    Raises:
        UserError: If the training split cannot be opened; that of evaluation may.
    """
    settings, found = config.data, _find(config)
    sources = {settings.train_split: _open(found, config, "train_split")}
    judged_on = _eval_split(found, settings, say)
    if judged_on not in sources:
        try:
            sources[judged_on] = found.open(judged_on, reading.policy(config))
        except UserError as error:
            say(f"Without --eval_split: {error}")
    return sources


def open_to_check(config):
    """`--train_split`, however many of its files are bad."""
    policy = dataclasses.replace(
        reading.policy(config), on_bad_image="skip", max_bad_fraction=1.0
    )
    return _open(_find(config), config, "train_split", policy=policy)


def _find(config, flag="dataset"):
    """The data set that a flag names; errors name the flag."""
    settings = config.data
    keys = data.Keys(
        settings.tfrecord_image_key,
        settings.tfrecord_label_key,
        settings.tfrecord_name_key,
    )
    with _naming(flag):
        return data.find(
            getattr(settings, flag),
            settings.data_dir,
            keys,
            settings.allow_outside_paths,
        )


def _open(found, config, split_flag, flag="dataset", say=None, policy=None):
    """The split that a flag names, of the data set of another flag."""
    split = getattr(config.data, split_flag)
    if split_flag == "eval_split":
        split = _eval_split(found, config.data, say)
    absent = found.find(split) is None
    with _naming(flag, f"--{split_flag}={split}: " if absent else ""):
        return found.open(split, policy or reading.policy(config))


@contextlib.contextmanager
def _naming(flag, beginning=""):
    """Makes errors about `--dataset` name the flag that was really given."""
    try:
        yield
    except UserError as error:
        text = str(error).replace("--dataset=", f"--{flag}=")
        raise UserError(beginning + text) from error


def _is_undivided(found, settings):
    """Whether a usual evaluation split is wanted, and there is only train."""
    usual = data.meaning(settings.eval_split) in ("validation", "test")
    return usual and found.holds_out_nothing and not found.find(settings.eval_split)


def _eval_split(found, settings, say):
    """`--eval_split`; the test split if it is validation and there is none."""
    split, test = settings.eval_split, found.find("test")
    if found.find(split) or data.meaning(split) != "validation" or not test:
        return split
    say(f"No split {split}: the split {test} is taken.")
    return test


def _held_out(settings):
    fraction = settings.held_out_fraction
    return data.HeldOut(0.1 if fraction is None else fraction, settings.held_out_seed)


def _has_seen_all(config):
    """Whether the run was trained by --mode=train without a held-out part."""
    path = os.path.join(config.model_dir, "flags.json")
    if "train" in config.mode or not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as file:
        flags = json.load(file)
    return flags.get("mode") == "train" and flags.get("held_out_fraction") is None
