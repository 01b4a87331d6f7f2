"""The training of a run, from its first batch to its last checkpoint."""

import contextlib
import os

import tensorflow as tf

from simclr_tf import augmentation, data, distribution, stopping
from simclr_tf.errors import Stopped
from simclr_tf.experiment import (
    cached_features,
    checkpoint_files,
    checkpoints,
    reading,
    saving,
    views,
)
from simclr_tf.training import callbacks


def train(session, log, say=print):
    """Trains to the last step.

    Args:
        session: `Session` from `preparing.prepare`.
        log: `loggers.Loggers`, open in the chief.
        say: Callable that prints a line for the user.

    Returns:
        Str, the prefix of the last checkpoint.

    Raises:
        Stopped: If a signal came; the run is saved.
    """
    config, total = session.config, session.schedule.total_steps
    if session.first_step >= total:
        say(f"{session.last_checkpoint} is at the last step already.")
        return session.last_checkpoint
    chief = distribution.is_chief(session.strategy)
    per_checkpoint = _steps_per_checkpoint(config, session.source.num_examples)
    every = config.train_summary_steps or per_checkpoint
    steps = {"first_step": session.first_step, "total_steps": total}
    if chief:
        reading.remember_images(config, session.source)
        if session.probe:
            reading.remember_images(config, session.probe, "probe_dataset")
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
    arrivals = None
    if session.strategy.num_replicas_in_sync == 1:
        arrivals = data.Arrivals()
    # Every process takes part in saving and in adding up figures: what a figure or a
    # variable is over all replicas, no process knows alone. Only the chief shows them.
    shown = batches if _may_be_looked_at(session, learned_from) else None
    session.model.draw_views = _draw_views(session)
    pictures = chief and "tensorboard" in config.loggers
    summaries = callbacks.Summaries(
        log,
        session.schedule,
        every=every,
        views=_first_views(session, shown, bad) if pictures else None,
        **steps,
    )
    progress = callbacks.Progress(
        config.train.train_batch_size,
        every=every,
        silent=not chief,
        arrivals=arrivals,
        **steps,
    )
    non_finite = _non_finite(session, say)
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
            check=non_finite.check_weights,
            say=say,
            **steps,
        )
        session.model.fit(
            batches if arrivals is None else arrivals.noted(batches),
            steps_per_epoch=total - session.first_step,
            shuffle=False,  # it is, and Keras 3 would warn that it cannot
            verbose=0,
            callbacks=[
                non_finite,
                progress,
                *_diagnostics(session, every, say),
                *_profile(session, chief, say),
                summaries,
                save,
            ],
        )
    last = checkpoint_files.path_of(config.model_dir, save.step)
    number = max(distribution.from_all(session.strategy, signal.number))
    distribution.part(session.strategy)
    if number:
        raise Stopped(number, last)
    if config.keep_best and chief and (best := keeper.best()) is not None:
        path = checkpoint_files.path_of(config.model_dir, best)
        say(f"Best {config.keep_best}: {path}")
    return last


def _steps_per_checkpoint(config, num_examples):
    """Steps between checkpoints, at least 1 however small the data is."""
    epoch_steps = round(num_examples / config.train.train_batch_size)
    return max(1, config.checkpoint_steps or config.checkpoint_epochs * epoch_steps)


def _features_or_images(session, bad, say):
    """The data of the steps: images, or their features if these never change."""
    config, source, model = session.config, session.source, session.model
    if not cached_features.applies(config, source, model):
        return source
    say("The encoder is frozen and nothing is drawn: features are computed once.")
    with bad.counted():
        return cached_features.compute(config, source, model, session.strategy, bad)


def _batches(session, share, source, bad):
    """The batches of the steps: views, or features, of a source."""
    layers = views.build_views(session.config, session.about["seed"])
    if isinstance(source, cached_features.FeatureSource):
        layers, bad = (cached_features.as_they_are,), None
    late = session.config.augmentation.augment_on == "device"
    return _drawn(session, share, source, layers, bad, late)


def _drawn(session, share, source, layers, bad, late=False):
    """Batches with a view by each layer, from the run's current step on."""
    config = session.config
    in_memory = isinstance(source, cached_features.FeatureSource)
    return data.train_batches(
        source,
        config.train.train_batch_size,
        session.schedule.total_steps,
        view=layers,
        num_views=len(layers),
        seed=session.about["seed"],
        start_step=session.first_step,
        cache=config.data.cache_dataset and not in_memory,
        share=share,
        bad_images=bad,
        late=late,
    )


def _draw_views(session):
    """Draws views on the networks' device; None if batches contain views."""
    if session.config.augmentation.augment_on == "host":
        return None
    layers = views.build_views(session.config, session.about["seed"])
    batch_size = session.config.train.train_batch_size
    seed = session.about["seed"]
    return data.LateViews(layers, len(layers), seed, batch_size).draw


def _with_probe(session, share, batches, bad):
    """Batches with images and labels of the probe set instead of their own labels."""
    if session.probe is None:
        return batches
    size, seed = session.config.data.image_size, session.about["seed"]
    layers = (augmentation.CropAndFlip(size, seed=seed),)
    of_probe = _drawn(session, share, session.probe, layers, bad)
    batches = tf.data.Dataset.zip((batches, of_probe))
    if session.source.num_classes:
        return batches.map(lambda own, probe: (own[0], probe))
    return batches


def _non_finite(session, say):
    """The callback that ends the run, or sets it back, if figures are not finite."""
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


def _diagnostics(session, every, say):
    """The callbacks that warn when pre-training does not learn."""
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


def _profile(session, chief, say):
    """The callback that writes a profile, if one was requested."""
    span = session.config.profile_steps
    if span is None or not chief:
        return []
    first, last = session.first_step + 1, session.schedule.total_steps
    if span[1] < first or span[0] > last:
        say(
            f"Warning: --profile_steps={span[0]},{span[1]} shows none of the steps "
            f"{first} to {last}."
        )
    directory = os.path.join(session.config.model_dir, "train")
    return [callbacks.Profile(directory, *span, first_step=session.first_step)]


def _may_be_looked_at(session, learned_from):
    """Whether batches contain whole views and are the same when read again.

    If a buffer shuffles them, every reading has another order.
    """
    whole = session.strategy.num_replicas_in_sync == 1
    sources = [source for source in (session.source, session.probe) if source]
    in_order = all(source.random_access for source in sources)
    return whole and in_order and learned_from is session.source


def _first_views(session, batches, bad):
    """A function that reads the views in the first batch, for summaries.

    Args:
        session: `Session`.
        batches: The batches of the training, if they may be read for this, see
            `_may_be_looked_at`; None creates others. They are created now, because in
            `fit`, under a strategy, all workers would have to create their layers.
        bad: `BadImages` of the source.
    """
    labelled = session.source.num_classes or (batches is not None and session.probe)
    if batches is None:
        batches = _batches(session, data.Share(), session.source, bad)

    def read():
        batch = next(iter(batches.take(1)))
        images = batch[0] if labelled else batch
        if session.model.draw_views is not None:
            return session.model.draw_views(images)
        return images if session.pretrain else (images,)

    return read
