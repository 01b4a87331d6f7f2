"""Prepares a run: everything is checked, nothing is written."""

import dataclasses
import random

import tensorflow as tf
from tensorflow import keras

from simclr_tf import data, distribution, optimizers
from simclr_tf.errors import UserError
from simclr_tf.experiment import (
    checkpoint_files,
    checkpoints,
    labels,
    networks,
    resuming,
    sizes,
    teacher,
)
from simclr_tf.experiment.config import RunConfig


@dataclasses.dataclass(frozen=True)
class Session:
    """A run that is ready to start."""

    config: RunConfig
    strategy: tf.distribute.Strategy
    source: data.Source
    probe: data.Source | None
    model: keras.Model
    schedule: optimizers.WarmupCosine
    about: dict
    first_step: int
    last_checkpoint: str | None

    @property
    def pretrain(self):
        return self.config.train.train_mode == "pretrain"


def prepare(config, strategy, say=print):
    """Opens the data, builds the model, and fills it from a checkpoint if there is one.

    Args:
        config: `RunConfig`.
        strategy: `tf.distribute.Strategy` to train under.
        say: Callable that prints a line for the user.

    Returns:
        `Session`.

    Raises:
        UserError: For anything that the user can correct.
    """
    _require_trainable(config, strategy.num_replicas_in_sync)
    resume = checkpoint_files.newest(config.model_dir, "model_dir", say)
    source = labels.open_training_split(config, say, resumes=resume is not None)
    sizes.require_enough_images(config, source, strategy.num_replicas_in_sync)
    _require_late_views(config, source, strategy)
    probe = labels.open_probe_split(config, say, resumes=resume is not None)
    _require_same_folder(config, strategy, checkpoints.step_of(resume) if resume else 0)
    seed = distribution.from_all(strategy, _seed(config, resume))[0]
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_global_policy(config.train.precision)
    with strategy.scope():
        schedule = networks.build_schedule(config, source.num_examples)
        _require_warmup_fits(config.train, schedule.total_steps)
        model = _build_model(config, schedule, (probe or source).num_classes)
    about = checkpoints.description(
        config,
        model,
        seed,
        schedule.total_steps,
        source.num_examples,
        probe and probe.num_examples,
    )
    first_step = 0
    if resume:
        found = checkpoints.require_same(resume, "model_dir", about)
        resuming.require_same_run(config, resume, found, about, say)
        checkpoints.restore(resume, model)
        first_step = checkpoints.step_of(resume)
    elif config.checkpoint:
        _initialise(config, model, about, say)
    session = Session(
        config, strategy, source, probe, model, schedule, about, first_step, resume
    )
    _describe(session, say)
    return session


def _seed(config, resume):
    """The seed of a run: the one that it began with, the flag's, or a new one."""
    if resume:
        return checkpoints.describe(resume, "model_dir")["seed"]
    return random.randrange(2**31) if config.train.seed is None else config.train.seed


def _build_model(config, schedule, num_classes):
    """The model to train, with its teacher if it has one."""
    if config.train.train_mode != "distill":
        return networks.build_model(config, schedule, num_classes)
    its_teacher, num_classes = teacher.load(config, num_classes)
    return networks.build_model(config, schedule, num_classes, its_teacher)


def _require_trainable(config, replicas):
    """Refuses flags that do not work with several replicas."""
    train = config.train
    if train.train_batch_size % replicas:
        raise UserError(
            f"--train_batch_size must be a multiple of the {replicas} replicas, got "
            f"{train.train_batch_size}."
        )
    if train.on_nonfinite == "skip" and replicas > 1:
        raise UserError(
            "--on_nonfinite must be stop or rewind with several replicas, got skip and "
            f"{replicas} replicas."
        )
    if train.jit_compile and replicas > 1:
        raise UserError(
            f"--jit_compile must be false with several replicas, got {replicas} "
            "replicas: XLA compiles the step of one."
        )


def _require_warmup_fits(train, total_steps):
    """Refuses a warm-up of the temperature that is longer than the training."""
    if train.temperature_warmup_steps > total_steps:
        raise UserError(
            f"--temperature_warmup_steps must be at most the {total_steps} steps of "
            f"the training, got {train.temperature_warmup_steps}."
        )


def _require_late_views(config, source, strategy):
    """Refuses `--augment_on=device` if views cannot be drawn there."""
    if config.augmentation.augment_on == "host":
        return
    if isinstance(strategy, tf.distribute.TPUStrategy):
        raise UserError(
            "--augment_on must be host on a TPU, got device: it takes no draws whose "
            "number is not known before."
        )
    if not data.takes_late_views(source, config.data.cache_dataset):
        raise UserError(
            f"--augment_on must be host for {source.name}, got device: it takes images "
            "of one size, or files that are read by their numbers, without "
            "--cache_dataset. --mode=prepare makes such files."
        )


def _require_same_folder(config, strategy, step):
    """Refuses workers that do not see the same checkpoints."""
    steps = distribution.from_all(strategy, step)
    if len(set(steps)) > 1:
        raise UserError(
            f"--model_dir={config.model_dir} must be a folder that all workers share: "
            f"their latest checkpoints are of the steps {', '.join(map(str, steps))}."
        )


def _initialise(config, model, about, say):
    """Fills the networks of a new run from `--checkpoint`."""
    prefix = checkpoints.find(config.checkpoint, "checkpoint", say)
    head = model.projection_head if config.checkpoint_scope == "model" else None
    found = checkpoints.require_same(
        prefix, "checkpoint", about, encoder_only=head is None
    )
    checkpoints.fill(prefix, model.encoder, head)
    filled = "encoder" if head is None else "encoder and projection head"
    say(f"Initialised the {filled} from {prefix}.")
    if model.linear_head is not None:
        start = "zero" if config.train.zero_init_logits_layer else "random"
        there, here = found["num_classes"], about["num_classes"]
        why = f" (that of the checkpoint has {there})" if there != here else ""
        say(f"The linear head is new: {here} classes{why}, {start} weights.")


def _memory_in_words(model):
    """What a memory of negatives holds, or None."""
    memory = getattr(model, "memory", None)
    if memory is None:
        return None
    filled = min(memory.size, int(tf.convert_to_tensor(memory.stored)))
    return (
        f"{memory.size:,} of earlier batches, {filled:,} so far, momentum "
        f"{memory.momentum:g}"
    )


def _describe(session, say):
    """Prints a summary of the run."""
    config, source, model = session.config, session.source, session.model
    train = config.train
    classes = f"{source.num_classes} classes" if source.num_classes else "no labels"
    count = networks.parameter_count
    probe = session.probe
    rows = {
        "data": f"{source.name}, {source.num_examples:,} images, {classes}",
        "probe": probe
        and f"{probe.name}, {probe.num_examples:,} images, {probe.num_classes} "
        "classes, for the linear head",
        "model": f"{networks.encoder_name(config)} at {config.data.image_size} px, "
        f"{count(model.encoder.weights):,} parameters, "
        f"{count(model.trainable_variables):,} trained with the heads",
        "steps": f"{session.first_step} to {session.schedule.total_steps}, "
        f"{train.train_batch_size} images each",
        "optimizer": f"{train.optimizer}, learning rate up to "
        f"{session.schedule.peak_learning_rate:g} after "
        f"{session.schedule.warmup_steps} steps, weight decay {train.weight_decay:g}",
        "negatives": _memory_in_words(model),
        "teacher": train.teacher
        and f"{train.teacher}, temperature {train.distill_temperature:g}, "
        f"labels weigh {train.label_weight:g}",
        "devices": f"{distribution.describe(session.strategy)}, {train.precision}",
        "memory": sizes.memory_of_a_step(config, session.strategy, model),
        "results": config.model_dir,
    }
    for name, text in rows.items():
        if text is None:  # of no concern in this mode
            continue
        say(f"  {name:<10} {text}")
        described = {"data": source, "probe": probe}.get(name)
        for line in described.summary() if described else ():
            say(f"  {'':<10} {line}")
