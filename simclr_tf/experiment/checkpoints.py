"""Checkpoints of a run: model, optimizer, step, and a description of the networks."""

import dataclasses
import json
import os

import tensorflow as tf

from simclr_tf import keras_compat
from simclr_tf.errors import UserError
from simclr_tf.experiment import checkpoint_files, differences
from simclr_tf.experiment.config import (
    ENCODER_FIELDS,
    HEAD_FIELDS,
    RESNET_FIELDS,
    ModelConfig,
)
from simclr_tf.literal_paths import literal
from simclr_tf.training.temperature import LearnedTemperature

FORMAT = 2  # of what a checkpoint holds; a reader refuses those of a higher number

_KERAS = 3 if keras_compat.IS_KERAS_3 else 2
_CONFIG_KEY = "config/.ATTRIBUTES/VARIABLE_VALUE"
# Of format 1, which does not say them.
_ALWAYS_SO = {"resnet_variant": "simclr", "input_normalization": "none"}


def description(
    config,
    model,
    seed,
    train_steps=None,
    num_examples=None,
    num_probe_examples=None,
):
    """A checkpoint's description of itself: a dict of JSON values.

    Args:
        config: `RunConfig`.
        model: The model of the run.
        seed: Int, seed of the run.
        train_steps: Int, the step at which the run ends, or None.
        num_examples: Int, images of the training split, or None.
        num_probe_examples: Int, images of `--probe_dataset` that the linear head learns
            from, or None.
    """
    return {
        "format": FORMAT,
        "keras": _KERAS,
        **dataclasses.asdict(config.model),
        "stem": stem(config),
        "input_normalization": input_normalization(config),
        "image_size": config.data.image_size,
        "train_mode": config.train.train_mode,
        "ft_proj_selector": config.train.ft_proj_selector,
        "num_classes": model.num_classes,
        "probe_dataset": _probe_of(config, model),
        "seed": seed,
        "train_steps": train_steps,
        "num_examples": num_examples,
        "num_probe_examples": num_probe_examples,
        "flags": config.flags(),
    }


def _probe_of(config, model):
    """The name of the probe data set from which the linear head learned, or None."""
    learns = config.train.train_mode == "pretrain" and model.num_classes
    return config.data.probe_dataset if learns else None


def stem(config):
    """The stem of a ResNet; as in the published code, the small one up to 32 pixels."""
    if config.model.stem != "auto":
        return config.model.stem
    return "cifar" if config.data.image_size <= 32 else "imagenet"


def input_normalization(config):
    """How a ResNet normalises images; by default not at all."""
    word = config.model.input_normalization
    return "none" if word == "auto" else word


def find(path, flag, say=print):
    """The checkpoint prefix for a folder or a prefix.

    Args:
        path: Str, a folder with checkpoints (the newest undamaged one is used), or a
            prefix such as `runs/demo/ckpt-300`.
        flag: Str, the flag that brought it, for the error.
        say: Callable that prints a line for the user; it is told of damaged ones.

    Returns:
        Str, the prefix.

    Raises:
        UserError: If there is no checkpoint, or it is damaged.
    """
    if os.path.isdir(path):
        prefix = checkpoint_files.newest(path, flag, say)
    else:
        prefix = path if checkpoint_files.is_there(path) else None
        if prefix and (reason := checkpoint_files.damage(prefix)):
            raise UserError(f"--{flag}={path}: it is damaged ({reason}).")
    if prefix is None:
        raise UserError(
            f"--{flag}={path}: no checkpoint there. Allowed: a folder that a run "
            "wrote, or a prefix such as .../ckpt-300."
        )
    return prefix


def chosen(config, say=print):
    """The checkpoint of `--checkpoint`, or the newest in `--model_dir`.

    Returns:
        `(prefix, flag)`, the second being the flag that named it.

    Raises:
        UserError: If there is no checkpoint.
    """
    flag = "checkpoint" if config.checkpoint else "model_dir"
    return find(config.checkpoint or config.model_dir, flag, say), flag


def unless_deleted(prefix, read):
    """`read()`, or None if it fails because the checkpoint is no longer there."""
    try:
        return read()
    except (UserError, *checkpoint_files.UNREADABLE):
        if checkpoint_files.is_there(prefix):
            raise
        return None


def describe(prefix, flag):
    """The `description` inside the checkpoint `prefix`."""
    try:
        with literal(prefix) as path:
            text = tf.train.load_checkpoint(path).get_tensor(_CONFIG_KEY)
    except checkpoint_files.UNREADABLE as error:
        raise UserError(
            f"--{flag}={prefix}: not a checkpoint that this program wrote, or damaged "
            f"({str(error).splitlines()[0]})."
        ) from error
    about = _ALWAYS_SO | json.loads(text)
    if about.get("format", 0) > FORMAT:
        raise UserError(
            f"--{flag}={prefix} is of format {about['format']}, and this release reads "
            f"up to {FORMAT}: take the release that wrote it, or a later one."
        )
    return about


def networks_of(about):
    """The `ModelConfig` of a `description`."""
    fields = dataclasses.fields(ModelConfig)
    return ModelConfig(**{field.name: about[field.name] for field in fields})


def probe_of_head(prefix, config):
    """The `--probe_dataset` that a checkpoint's linear head learned from, or None.

    If the checkpoint has been deleted meanwhile, the one of `config`.
    """
    about = unless_deleted(prefix, lambda: describe(prefix, "checkpoint"))
    return config.data.probe_dataset if about is None else about.get("probe_dataset")


def require_same(prefix, flag, wanted, encoder_only=False):
    """Compares the networks of a checkpoint with those that it will fill.

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


def contents(model, about):
    """The parts of a run that are saved.

    Args:
        model: Compiled Keras model.
        about: `tf.Variable`, string, the run's `description` as JSON.

    Returns:
        `tf.train.Checkpoint`.
    """
    return tf.train.Checkpoint(**_state(model), config=about)


def restore(prefix, model):
    """Fills a compiled model, and its optimizer, from a checkpoint of the same run.

    Raises:
        UserError: If it is from the other Keras, whose optimizers keep other variables.
    """
    there = describe(prefix, "model_dir").get("keras", _KERAS)
    if there != _KERAS:
        raise UserError(
            f"--model_dir: {prefix} was written with Keras {there}, this is Keras "
            f"{_KERAS}: a run goes on with the one that it began with. A new "
            f"--model_dir with --checkpoint={prefix} starts from its weights."
        )
    _read(prefix, **_state(model))


def fill(prefix, encoder, projection_head=None, linear_head=None):
    """Fills only networks from a checkpoint."""
    _read(prefix, model=_networks(encoder, projection_head, linear_head))


def _state(model):
    """All that a training changes, by its name in a checkpoint."""
    state = {
        "model": _networks(model.encoder, model.projection_head, model.linear_head),
        "optimizer": keras_compat.optimizer_state(model.optimizer),
    }
    if getattr(model, "memory", None) is not None:
        state["memory"] = model.memory
    if isinstance(getattr(model, "temperature", None), LearnedTemperature):
        state["temperature"] = model.temperature
    return state


def _networks(encoder, projection_head, linear_head):
    """The content of a checkpoint under `model/`; heads may be None."""
    heads = {"projection_head": projection_head, "linear_head": linear_head}
    heads = {name: head for name, head in heads.items() if head is not None}
    for network in (encoder, *heads.values()):
        keras_compat.track_kernels(network)
    return tf.train.Checkpoint(encoder=encoder, **heads)


def _read(prefix, **parts):
    with literal(prefix) as path:
        status = tf.train.Checkpoint(**parts).read(path)
        status.assert_existing_objects_matched().expect_partial()


def step_of(prefix):
    """The step in a prefix `.../ckpt-<step>`."""
    return int(prefix.rsplit("-", 1)[1])
