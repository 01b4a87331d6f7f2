"""Chooses the labels of the training split that a run may use."""

import numpy as np

from simclr_tf import data
from simclr_tf.data import label_subset
from simclr_tf.errors import UserError
from simclr_tf.experiment import splits
from simclr_tf.experiment.config import LABELLED_LOSSES


def open_training_split(config, say, resumes=False):
    """The training split for the train mode.

    Pre-training uses every image; fine-tuning those whose labels `--label_fraction` or
    `--label_file` keeps; distillation, and pre-training whose loss needs labels, every
    image, with the other labels hidden.

    Args:
        config: `RunConfig`.
        say: Callable that prints a line for the user.
        resumes: Bool, whether the run goes on from a checkpoint of its own.

    Returns:
        `Source`.

    Raises:
        UserError: If it cannot be opened, or has no labels where they are needed.
    """
    train = config.train
    source = splits.open_training(config, say, resumes)
    if not source.num_classes:
        _require_no_labels_needed(config)
        return source
    if train.train_mode == "finetune":
        return labelled_part(config, known_labels(source), say)
    hides = train.train_mode == "distill" or _loss_needs_labels(config)
    if hides and _restricted(config):
        labels, chosen = _choose(config, source, say)
        hidden = np.full_like(labels, -1)
        hidden[chosen] = labels[chosen]
        return data.Relabelled(source, hidden)
    return source


def open_probe_split(config, say, resumes=False):
    """The data set of the online linear head, if it is a second one.

    Args:
        config: `RunConfig`.
        say: Callable that prints a line for the user.
        resumes: Bool, whether the run goes on from a checkpoint of its own.

    Returns:
        `Source` of `--probe_dataset`, split `--probe_split`, without its held-out part;
        None if the head learns from the training images.

    Raises:
        UserError: If it cannot be opened, or has no labels.
    """
    if not head_is_of_probe(config):
        return None
    settings = config.data
    source = splits.open_for_evaluators(config, training=True, say=say, resumes=resumes)
    if not source.num_classes:
        raise UserError(
            f"--probe_dataset={settings.probe_dataset} --probe_split="
            f"{settings.probe_split} must have labels, for the linear head to learn: "
            "it has none. Give a labelled one."
        )
    return known_labels(source)


def head_is_of_probe(config):
    """Whether a linear head learns from `--probe_dataset`, as in pre-training."""
    train = config.train
    pretrains = train.train_mode == "pretrain" and train.lineareval_while_pretraining
    return pretrains and config.data.probe_dataset is not None


def labelled_part(config, source, say=lambda line: None):
    """The images of the training split whose labels may be used.

    Args:
        config: `RunConfig`, of which `data.label_fraction`, `label_seed` and
            `label_file` are used.
        source: `Source` with labels, the training split.
        say: Callable that prints a line for the user.

    Returns:
        `source` itself if all may be used, else a `Subset` of it.

    Raises:
        UserError: If the flags choose no image, or name images that are not there.
    """
    if not _restricted(config):
        return source
    _, chosen = _choose(config, source, say)
    return data.Subset(source, chosen)


def known_labels(source):
    """The images of a source whose labels are known.

    If a large source would have to be read for its labels, all count as known.
    """
    if not source.num_classes or not source.labels_at_hand:
        return source
    known = np.flatnonzero(source.labels() >= 0)
    return source if len(known) == source.num_examples else data.Subset(source, known)


def _loss_needs_labels(config):
    train = config.train
    return train.train_mode == "pretrain" and train.loss in LABELLED_LOSSES


def _restricted(config):
    return config.data.label_fraction < 1 or config.data.label_file is not None


def _choose(config, source, say):
    """All labels, and the indices of those that may be used."""
    settings, labels = config.data, source.labels()
    if settings.label_file:
        chosen = _named(settings, source)
    else:
        chosen = label_subset.balanced_subset(
            labels, settings.label_fraction, settings.label_seed
        )
    if not len(chosen):
        raise UserError(
            f"--label_fraction={settings.label_fraction:g} of {source.num_examples} "
            f"images is none; it must be at least {1 / source.num_examples:.2g} here."
        )
    say(f"Labels: {len(chosen):,} of {source.num_examples:,} images.")
    missing = label_subset.classes_without(labels, chosen, source.class_names)
    if missing:
        say(
            f"Warning: {len(missing)} of {source.num_classes} classes have no labelled "
            f"image: {label_subset.listed(missing)}."
        )
    return labels, chosen


def _named(settings, source):
    where = f"--label_file={settings.label_file}"
    wanted = label_subset.read_names(settings.label_file)
    names = source.file_names()
    if names is None:
        raise UserError(
            f"{where} needs images that have file names, and those of --dataset="
            f"{settings.dataset} have none. Use --label_fraction."
        )
    return label_subset.named_subset(names, wanted, where)


def _require_no_labels_needed(config):
    """Refuses train modes and flags that need labels, if there are none."""
    settings, train = config.data, config.train
    needs = None
    if train.train_mode == "finetune":
        needs = "--train_mode=finetune"
    elif _loss_needs_labels(config):
        needs = f"--loss={train.loss}"
    elif train.train_mode == "distill" and train.label_weight > 0:
        needs = f"--label_weight={train.label_weight:g}"
    elif train.train_mode == "distill" and _restricted(config):
        needs = "--label_file" if settings.label_file else "--label_fraction"
    if needs:
        raise UserError(
            f"{needs} needs labels, and --dataset={settings.dataset} split "
            f"{settings.train_split} has none."
        )
