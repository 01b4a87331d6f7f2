"""Checkpoints of a run: model, optimizer, step, and what the networks were."""

import dataclasses
import json
import os

import tensorflow as tf

from simclr_tf import keras_compat
from simclr_tf.errors import UserError
from simclr_tf.experiment import differences
from simclr_tf.experiment.config import ENCODER_FIELDS, HEAD_FIELDS, RESNET_FIELDS

_CONFIG_KEY = "config/.ATTRIBUTES/VARIABLE_VALUE"
# What TensorFlow raises for a checkpoint that is damaged, or deleted while it is read.
_UNREADABLE = (tf.errors.OpError, IndexError, ValueError, RuntimeError)


def description(config, model, seed, train_steps=None, num_examples=None):
    """What a checkpoint says about itself: a dict of JSON values.

    Args:
        config: `RunConfig`.
        model: The model of the run.
        seed: Int, that of the run.
        train_steps: Int, the step at which the run ends, or None.
        num_examples: Int, images of the training split, or None.
    """
    return {
        **dataclasses.asdict(config.model),
        "stem": stem(config),
        "image_size": config.data.image_size,
        "train_mode": config.train.train_mode,
        "ft_proj_selector": config.train.ft_proj_selector,
        "num_classes": model.num_classes,
        "probe_dataset": _probe_of(config, model),
        "seed": seed,
        "train_steps": train_steps,
        "num_examples": num_examples,
        "flags": config.flags(),
    }


def _probe_of(config, model):
    """The word of the probe set whose classes the linear head knows, or None."""
    learns = config.train.train_mode == "pretrain" and model.num_classes
    return config.data.probe_dataset if learns else None


def stem(config):
    """The stem of a ResNet; by the reference's rule, the small one up to 32 pixels."""
    if config.model.stem != "auto":
        return config.model.stem
    return "cifar" if config.data.image_size <= 32 else "imagenet"


def find(path, flag):
    """The checkpoint prefix that a folder or a prefix stands for.

    Args:
        path: Str, a folder with checkpoints (its latest is taken), or a prefix such as
            `runs/demo/ckpt-300`.
        flag: Str, the flag that brought it, for the error.

    Returns:
        Str, the prefix.

    Raises:
        UserError: If there is no checkpoint.
    """
    prefix = tf.train.latest_checkpoint(path) if os.path.isdir(path) else path
    if prefix is None or not os.path.exists(f"{prefix}.index"):
        raise UserError(
            f"--{flag}={path}: no checkpoint there. Allowed: a folder that a run "
            "wrote, or a prefix such as .../ckpt-300."
        )
    return prefix


def chosen(config):
    """The checkpoint of `--checkpoint`, or the newest in `--model_dir`.

    Returns:
        `(prefix, flag)`, the second the flag that brought it.

    Raises:
        UserError: If there is no checkpoint.
    """
    flag = "checkpoint" if config.checkpoint else "model_dir"
    return find(config.checkpoint or config.model_dir, flag), flag


def unless_deleted(prefix, read):
    """`read()`, or None where it fails because the checkpoint is no longer there."""
    try:
        return read()
    except (UserError, *_UNREADABLE):
        if os.path.exists(f"{prefix}.index"):
            raise
        return None


def describe(prefix, flag):
    """The `description` inside the checkpoint `prefix`."""
    try:
        reader = tf.train.load_checkpoint(prefix)
        text = reader.get_tensor(_CONFIG_KEY)
    except _UNREADABLE as error:
        raise UserError(
            f"--{flag}={prefix}: not a checkpoint that this program wrote, or damaged "
            f"({str(error).splitlines()[0]})."
        ) from error
    return json.loads(text)


def probe_of_head(prefix, config):
    """The `--probe_dataset` that a checkpoint's linear head learned from, or None.

    Of a checkpoint that has been deleted meanwhile, that of `config`.
    """
    about = unless_deleted(prefix, lambda: describe(prefix, "checkpoint"))
    return config.data.probe_dataset if about is None else about.get("probe_dataset")


def require_same(prefix, flag, wanted, encoder_only=False):
    """Compares what a checkpoint holds with the networks that it is to fill.

    Args:
        prefix: Str, the checkpoint.
        flag: Str, the flag that brought it.
        wanted: Dict, `description` of this run.
        encoder_only: Bool, whether only the encoders must be the same.

    Returns:
        Dict, `description` of the checkpoint.

    Raises:
        UserError: Listing every field that differs.
    """
    found = describe(prefix, flag)
    fields = [*ENCODER_FIELDS]
    fields += RESNET_FIELDS if wanted["encoder"] == "resnet" else ()
    if not encoder_only:
        fields += HEAD_FIELDS
    if flag == "model_dir":
        fields += ["train_mode", "num_classes"]
    different = {
        field: (found[field], wanted[field])
        for field in fields
        if found[field] != wanted[field]
    }
    if different:
        raise UserError(
            f"--{flag}: {prefix} holds another network.\n"
            + differences.table(different)
            + "\nGive the flags that it was made with, or another folder."
        )
    return found


def manager(model, about, directory, keep):
    """A `tf.train.CheckpointManager` of `ckpt-<step>` with all that a run needs.

    Args:
        model: Compiled Keras model.
        about: Dict, the run's `description`.
        directory: Str, the run's folder.
        keep: Int, how many checkpoints stay; 0 keeps all.
    """
    config = tf.Variable(json.dumps(about), trainable=False, dtype=tf.string)
    checkpoint = tf.train.Checkpoint(
        model=_networks(model.encoder, model.projection_head, model.linear_head),
        optimizer=keras_compat.optimizer_state(model.optimizer),
        config=config,
    )
    return tf.train.CheckpointManager(checkpoint, directory, max_to_keep=keep or None)


def restore(prefix, model):
    """Fills a compiled model, and its optimizer, from a checkpoint of the same run."""
    networks = _networks(model.encoder, model.projection_head, model.linear_head)
    state = keras_compat.optimizer_state(model.optimizer)
    _read(prefix, model=networks, optimizer=state)


def fill(prefix, encoder, projection_head=None, linear_head=None):
    """Fills networks, and nothing else, from a checkpoint."""
    _read(prefix, model=_networks(encoder, projection_head, linear_head))


def _networks(encoder, projection_head, linear_head):
    """What a checkpoint holds under `model/`; heads may be None."""
    heads = {"projection_head": projection_head, "linear_head": linear_head}
    heads = {name: head for name, head in heads.items() if head is not None}
    return tf.train.Checkpoint(encoder=encoder, **heads)


def _read(prefix, **parts):
    status = tf.train.Checkpoint(**parts).read(prefix)
    status.assert_existing_objects_matched().expect_partial()


def step_of(prefix):
    """The step in a prefix `.../ckpt-<step>`."""
    return int(prefix.rsplit("-", 1)[1])
