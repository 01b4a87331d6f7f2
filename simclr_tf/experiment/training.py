"""One training run, from the data to the last checkpoint."""

import dataclasses
import os
import random

import tensorflow as tf
from tensorflow import keras

from simclr_tf import data, distribution, optimizers
from simclr_tf.errors import UserError
from simclr_tf.experiment import checkpoints, networks
from simclr_tf.experiment.config import RunConfig
from simclr_tf.training import callbacks


@dataclasses.dataclass(frozen=True)
class Session:
    """A run that is ready to start: everything is checked, nothing is written."""

    config: RunConfig
    source: data.Source
    model: keras.Model
    schedule: optimizers.WarmupCosine
    about: dict
    first_step: int
    last_checkpoint: str | None

    @property
    def pretrain(self):
        return self.config.train.train_mode != "finetune"


def prepare(config, say=print):
    """Opens the data, builds the model, fills it from a checkpoint where one is due.

    Args:
        config: `RunConfig`.
        say: Callable that prints a line for the user.

    Returns:
        `Session`.

    Raises:
        UserError: For anything that the user can put right.
    """
    source = data.open_source(
        config.data.dataset, config.data.train_split, config.data.data_dir
    )
    if config.train.train_mode == "finetune" and not source.num_classes:
        raise UserError(
            f"--train_mode=finetune needs labels, and --dataset={config.data.dataset} "
            f"split {config.data.train_split} has none."
        )
    resume = tf.train.latest_checkpoint(config.model_dir)
    seed = _seed(config, resume)
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_global_policy(config.train.precision)
    with distribution.strategy().scope():
        schedule = networks.build_schedule(config, source.num_examples)
        model = networks.build_model(config, schedule, source.num_classes)
    about = checkpoints.description(config, model, seed)
    first_step = 0
    if resume:
        checkpoints.require_same(resume, "model_dir", about)
        checkpoints.restore(resume, model)
        first_step = checkpoints.step_of(resume)
    elif config.checkpoint:
        _initialise(config, model, about, say)
    session = Session(config, source, model, schedule, about, first_step, resume)
    _describe(session, say)
    return session


def train(session, say=print):
    """Trains to the last step.

    Args:
        session: What `prepare` made.
        say: Callable that prints a line for the user.

    Returns:
        Str, the prefix of the last checkpoint.
    """
    config, total = session.config, session.schedule.total_steps
    if session.first_step >= total:
        say(f"{session.last_checkpoint} is at the last step already.")
        return session.last_checkpoint
    saved = checkpoints.manager(
        session.model, session.about, config.model_dir, config.keep_checkpoint_max
    )
    per_checkpoint = steps_per_checkpoint(config, session.source.num_examples)
    every = config.train_summary_steps or per_checkpoint
    steps = {"first_step": session.first_step, "total_steps": total}
    batches = _batches(session)
    summaries = callbacks.Summaries(
        os.path.join(config.model_dir, "train"), session.schedule, every=every, **steps
    )
    progress = callbacks.Progress(config.train.train_batch_size, every=every, **steps)
    keep = callbacks.SaveCheckpoints(
        lambda step: saved.save(checkpoint_number=step), every=per_checkpoint, **steps
    )
    with data.naming_broken_files(session.source):
        summaries.write_views(session.first_step, _first_views(session, batches))
        session.model.fit(batches, verbose=0, callbacks=[progress, keep, summaries])
    return saved.latest_checkpoint


def load(config):
    """The model in the newest checkpoint of a run, or in `--checkpoint`.

    What the checkpoint knows better than the flags (train mode, classes, heads) is
    taken from it.

    Args:
        config: `RunConfig`.

    Returns:
        `(model, step)`.

    Raises:
        UserError: If there is no checkpoint, or it holds another network.
    """
    flag = "checkpoint" if config.checkpoint else "model_dir"
    prefix = checkpoints.find(config.checkpoint or config.model_dir, flag)
    about = checkpoints.describe(prefix, flag)
    config = dataclasses.replace(
        config,
        train=dataclasses.replace(
            config.train,
            train_mode=about["train_mode"],
            ft_proj_selector=about["ft_proj_selector"],
        ),
    )
    keras.mixed_precision.set_global_policy(config.train.precision)
    schedule = optimizers.WarmupCosine(1.0, 0, 1)
    model = networks.build_model(config, schedule, about["num_classes"])
    wanted = checkpoints.description(config, model, about["seed"])
    checkpoints.require_same(prefix, flag, wanted)
    checkpoints.fill(prefix, model.encoder, model.projection_head, model.linear_head)
    return model, checkpoints.step_of(prefix)


def steps_per_checkpoint(config, num_examples):
    """Steps between two checkpoints; at least 1, however small the data is."""
    epoch_steps = round(num_examples / config.train.train_batch_size)
    return max(1, config.checkpoint_steps or config.checkpoint_epochs * epoch_steps)


def _seed(config, resume):
    """The seed of a run: the one it began with, the flag's, or a new one."""
    if resume:
        return checkpoints.describe(resume, "model_dir")["seed"]
    return random.randrange(2**31) if config.train.seed is None else config.train.seed


def _batches(session):
    config, seed = session.config, session.about["seed"]
    return data.train_batches(
        session.source,
        config.train.train_batch_size,
        session.schedule.total_steps,
        view=networks.build_view(config, seed),
        num_views=2 if session.pretrain else 1,
        seed=seed,
        start_step=session.first_step,
        cache=config.data.cache_dataset,
    )


def _first_views(session, batches):
    """The views in the first batch, for a look at them."""
    batch = next(iter(batches))
    images = batch[0] if session.source.num_classes else batch
    return images if session.pretrain else (images,)


def _initialise(config, model, about, say):
    """Fills the networks of a new run from `--checkpoint`."""
    prefix = checkpoints.find(config.checkpoint, "checkpoint")
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


def _describe(session, say):
    """Prints what is about to run."""
    config, source, model = session.config, session.source, session.model
    train = config.train
    classes = f"{source.num_classes} classes" if source.num_classes else "no labels"
    count = networks.parameter_count
    rows = {
        "data": f"{source.name}, {source.num_examples:,} images, {classes}",
        "model": f"{networks.encoder_name(config)} at {config.data.image_size} px, "
        f"{count(model.encoder.weights):,} parameters, "
        f"{count(model.trainable_variables):,} trained with the heads",
        "steps": f"{session.first_step} to {session.schedule.total_steps}, "
        f"{train.train_batch_size} images each",
        "optimizer": f"{train.optimizer}, learning rate up to "
        f"{session.schedule.peak_learning_rate:g} after "
        f"{session.schedule.warmup_steps} steps, weight decay {train.weight_decay:g}",
        "devices": f"{distribution.strategy().num_replicas_in_sync} "
        f"{distribution.device_kind()}, {train.precision}",
        "results": config.model_dir,
    }
    for name, text in rows.items():
        say(f"  {name:<10} {text}")
