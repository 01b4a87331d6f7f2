"""One training run, from the data to the last checkpoint."""

import contextlib
import dataclasses
import os
import random

import tensorflow as tf
from tensorflow import keras

from simclr_tf import augmentation, data, distribution, optimizers, stopping
from simclr_tf.errors import Stopped, UserError
from simclr_tf.experiment import (
    cached_features,
    checkpoint_files,
    checkpoints,
    labels,
    networks,
    reading,
    resuming,
    saving,
    sizes,
    teacher,
    views,
)
from simclr_tf.experiment.config import RunConfig
from simclr_tf.training import callbacks


@dataclasses.dataclass(frozen=True)
class Session:
    """A run that is ready to start: everything is checked, nothing is written."""

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
    """Opens the data, builds the model, fills it from a checkpoint where one is due.

    Args:
        config: `RunConfig`.
        strategy: `tf.distribute.Strategy` to train under.
        say: Callable that prints a line for the user.

    Returns:
        `Session`.

    Raises:
        UserError: For anything that the user can put right.
    """
    _require_trainable(config, strategy.num_replicas_in_sync)
    resume = checkpoint_files.newest(config.model_dir, "model_dir", say)
    source = labels.open_training_split(config, say, resumes=resume is not None)
    sizes.require_enough_images(config, source, strategy.num_replicas_in_sync)
    probe = labels.open_probe_split(config, say)
    _require_same_folder(config, strategy, checkpoints.step_of(resume) if resume else 0)
    seed = distribution.from_all(strategy, _seed(config, resume))[0]
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_global_policy(config.train.precision)
    with strategy.scope():
        schedule = networks.build_schedule(config, source.num_examples)
        model = _build_model(config, schedule, (probe or source).num_classes)
    about = checkpoints.description(
        config, model, seed, schedule.total_steps, source.num_examples
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


def train(session, say=print):
    """Trains to the last step.

    Args:
        session: What `prepare` made.
        say: Callable that prints a line for the user.

    Returns:
        Str, the prefix of the last checkpoint.

    Raises:
        Stopped: If a signal came; what was done is saved.
    """
    config, total = session.config, session.schedule.total_steps
    if session.first_step >= total:
        say(f"{session.last_checkpoint} is at the last step already.")
        return session.last_checkpoint
    chief = distribution.is_chief(session.strategy)
    per_checkpoint = steps_per_checkpoint(config, session.source.num_examples)
    every = config.train_summary_steps or per_checkpoint
    steps = {"first_step": session.first_step, "total_steps": total}
    if chief:
        reading.remember_training_images(config, session.source)
    bad = reading.bad_images(config, session.source, say)
    of_probe = session.probe and reading.bad_images(config, session.probe, say)
    learned_from = _features_or_images(session, bad, say)
    batches = distribution.distribute(
        session.strategy,
        lambda share: _with_probe(
            session, share, _batches(session, share, learned_from, bad), of_probe
        ),
        endless=True,
    )
    # Every process takes part in saving and in adding up figures: what a figure or a
    # variable is over all replicas, no process knows alone. Only the chief shows them.
    summaries = callbacks.Summaries(
        os.path.join(config.model_dir, "train") if chief else None,
        session.schedule,
        every=every,
        **steps,
    )
    progress = callbacks.Progress(
        config.train.train_batch_size, every=every, silent=not chief, **steps
    )
    keeper = saving.Keeper(
        session.model,
        session.about,
        config.model_dir if chief else None,
        config.keep_checkpoint_max,
        config.keep_best,
    )
    with (
        stopping.deferred() as signal,
        bad.counted(),
        of_probe.counted() if of_probe else contextlib.nullcontext(),
    ):
        save = saving.SaveRun(
            keeper.save,
            signal,
            session.strategy,
            every=per_checkpoint,
            minutes=config.checkpoint_minutes,
            metric=config.keep_best,
            say=say,
            **steps,
        )
        if chief:
            summaries.write_views(session.first_step, _first_views(session, bad))
        session.model.fit(
            batches,
            steps_per_epoch=total - session.first_step,
            shuffle=False,  # it is, and Keras 3 would warn that it cannot
            verbose=0,
            callbacks=[
                _non_finite(session, say),
                progress,
                *_diagnostics(session, every, say),
                summaries,
                save,
            ],
        )
    last = checkpoint_files.path_of(config.model_dir, save.step)
    if number := max(distribution.from_all(session.strategy, signal.number)):
        raise Stopped(number, last)
    if config.keep_best and chief and (best := keeper.best()) is not None:
        path = checkpoint_files.path_of(config.model_dir, best)
        say(f"Best {config.keep_best}: {path}")
    return last


def load(config, strategy=None, say=print):
    """The model in the newest checkpoint of a run, or in `--checkpoint`.

    What the checkpoint knows better than the flags (train mode, classes, heads) is
    taken from it.

    Args:
        config: `RunConfig`.
        strategy: `tf.distribute.Strategy`; None for one device.
        say: Callable that prints a line for the user.

    Returns:
        `(model, step)`.

    Raises:
        UserError: If there is no checkpoint, or it holds another network.
    """
    prefix, flag = checkpoints.chosen(config, say)
    about = checkpoints.describe(prefix, flag)
    model, wanted = build_as(config, about, strategy)
    checkpoints.require_same(prefix, flag, wanted)
    checkpoints.fill(prefix, model.encoder, model.projection_head, model.linear_head)
    return model, checkpoints.step_of(prefix)


def build_as(config, about, strategy=None):
    """The model that a checkpoint is for, not yet filled.

    Args:
        config: `RunConfig`.
        about: Dict, the checkpoint's `description`, which wins over the config in the
            train mode, the classes, and what the linear head sits on.
        strategy: `tf.distribute.Strategy`; None for one device.

    Returns:
        `(model, wanted)`, the second the `description` that the checkpoint must have.
    """
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
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = networks.build_model(config, schedule, about["num_classes"])
    return model, checkpoints.description(config, model, about["seed"])


def steps_per_checkpoint(config, num_examples):
    """Steps between two checkpoints; at least 1, however small the data is."""
    epoch_steps = round(num_examples / config.train.train_batch_size)
    return max(1, config.checkpoint_steps or config.checkpoint_epochs * epoch_steps)


def _seed(config, resume):
    """The seed of a run: the one it began with, the flag's, or a new one."""
    if resume:
        return checkpoints.describe(resume, "model_dir")["seed"]
    return random.randrange(2**31) if config.train.seed is None else config.train.seed


def _build_model(config, schedule, num_classes):
    """The model to be trained, with its teacher where it has one."""
    if config.train.train_mode != "distill":
        return networks.build_model(config, schedule, num_classes)
    its_teacher, num_classes = teacher.load(config, num_classes)
    return networks.build_model(config, schedule, num_classes, its_teacher)


def _features_or_images(session, bad, say):
    """What the steps read: the images, or features of them that never change."""
    config, source, model = session.config, session.source, session.model
    if not cached_features.applies(config, source, model):
        return source
    say("The encoder is frozen and nothing is drawn: features are computed once.")
    with bad.counted():
        return cached_features.compute(config, source, model, session.strategy, bad)


def _batches(session, share, source, bad):
    config, seed = session.config, session.about["seed"]
    layers = views.build_views(config, seed)
    if isinstance(source, cached_features.FeatureSource):
        layers = (cached_features.as_they_are,)
    return data.train_batches(
        source,
        config.train.train_batch_size,
        session.schedule.total_steps,
        view=layers,
        num_views=len(layers),
        seed=seed,
        start_step=session.first_step,
        cache=config.data.cache_dataset and source is session.source,
        share=share,
        bad_images=bad if source is session.source else None,
    )


def _non_finite(session, say):
    """The callback that ends the run, or sets it back, where figures are not finite."""
    config, model = session.config, session.model

    def rewind(step):
        prefix = checkpoint_files.newest(config.model_dir, "model_dir", say)
        if prefix is not None:
            checkpoints.restore(prefix, model)
            model.optimizer.iterations.assign(step)  # on with the next images
        return prefix

    last = "The last checkpoint is kept; the same command goes on from it."
    return callbacks.NonFinite(
        rewind if config.train.on_nonfinite == "rewind" else None,
        session.first_step,
        say,
        advice="Try a smaller --learning_rate, a longer --warmup_epochs, a larger "
        "--temperature, --precision=float32, or --on_nonfinite=skip or rewind. " + last,
    )


def _with_probe(session, share, batches, bad):
    """Batches with images and labels of the probe set in place of their own labels."""
    if session.probe is None:
        return batches
    config, seed = session.config, session.about["seed"]
    view = augmentation.CropAndFlip(config.data.image_size, seed=seed)
    of_probe = data.train_batches(
        session.probe,
        config.train.train_batch_size,
        session.schedule.total_steps,
        view=view,
        num_views=1,
        seed=seed,
        start_step=session.first_step,
        cache=config.data.cache_dataset,
        share=share,
        bad_images=bad,
    )
    batches = tf.data.Dataset.zip((batches, of_probe))
    if session.source.num_classes:
        return batches.map(lambda own, probe: (own[0], probe))
    return batches


def _diagnostics(session, every, say):
    """The callbacks that say when pre-training goes nowhere."""
    if not session.pretrain:
        return []
    return [
        callbacks.Diagnostics(
            warmup_steps=session.schedule.warmup_steps,
            first_step=session.first_step,
            total_steps=session.schedule.total_steps,
            every=every,
            say=say,
        )
    ]


def _first_views(session, bad):
    """The views in the first batch, for a look at them."""
    batch = next(iter(_batches(session, data.Share(), session.source, bad)))
    images = batch[0] if session.source.num_classes else batch
    return images if session.pretrain else (images,)


def _require_trainable(config, replicas):
    """Refuses what several replicas, or pieces of a batch, cannot do."""
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


def _describe(session, say):
    """Prints what is about to run."""
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
