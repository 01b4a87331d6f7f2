"""The modes of the command, each a few calls."""

import contextlib
import dataclasses
import os

from simclr_tf import distribution, loggers
from simclr_tf.experiment import (
    agreement,
    checking,
    checkpoints,
    embedding,
    evaluation,
    exporting,
    files,
    following,
    importing,
    loading,
    locking,
    packing,
    preparing,
    previewing,
    training,
)


def run(config, flag_values, say=print):
    """Carries out one `RunConfig`; with several workers, each calls it.

    Args:
        config: `RunConfig`.
        flag_values: Dict, every flag and its value, for `flags.json`.
        say: Callable that prints a line for the user; only the chief calls it.

    Raises:
        UserError: For anything that the user can put right.
        WorkerLostError: If another worker stops.
    """
    if config.mode == "preview":  # on this machine, whatever will train
        previewing.show(config, say)
        return
    if config.mode == "check":
        checking.check(config, say)
        return
    if config.mode == "report":
        _reporting().show(config, say)
        return
    files.require_possible(config.model_dir)  # before hours of work
    if config.mode == "import":
        importing.import_run(config, flag_values, say)
        return
    exporting.require(config)
    strategy = distribution.make_strategy(**dataclasses.asdict(config.devices))
    chief = distribution.is_chief(strategy)
    say = say if chief else _say_nothing
    with distribution.naming_lost_workers(strategy), loggers.Loggers(say) as log:
        _run(config, flag_values, strategy, chief, log, say)
        distribution.from_all(strategy, 0)  # nobody leaves before the chief is done


def _run(config, flag_values, strategy, chief, log, say):
    if config.mode == "prepare":
        if chief:
            packing.pack(config, say)
        return
    if config.mode == "embed":
        embedding.embed(config, strategy, say)
        return
    if config.mode != "export":
        agreement.by_chief(strategy, lambda: loggers.require(config.loggers))
    splits = evaluation.Splits(config, strategy) if "eval" in config.mode else None
    if config.mode == "eval":
        for prefix, step, model in following.follow(config, strategy, say):
            say(f"Evaluating {prefix}.")
            _deliver(config, model, prefix, step, splits, strategy, log, say)
        return
    if "train" in config.mode:
        with contextlib.ExitStack() as lock:
            model, prefix = _train(
                config, flag_values, strategy, splits, lock, log, say
            )
        say(f"Checkpoint: {prefix}")
        step = checkpoints.step_of(prefix)
        if config.mode == "train":
            say(f"Next: python run.py --mode=eval --model_dir={config.model_dir}")
            return
    else:
        prefix, _ = checkpoints.chosen(config, say)
        model, step = loading.load(config, strategy)
    _deliver(config, model, prefix, step, splits, strategy, log, say)
    if chief and config.mode == "train_then_eval" and config.report.report:
        _report_at_end(dataclasses.replace(config, checkpoint=prefix), say)


def _report_at_end(config, say):
    try:
        _reporting().write(config, say)
    except Exception as error:  # whatever it is, the run is done
        reason = (str(error).splitlines() or [""])[0]
        say(f"Warning: no report ({type(error).__name__}: {reason}).")


def _reporting():
    """Imported when it is used: it draws, and what it draws with takes seconds."""
    from simclr_tf.experiment import reporting

    return reporting


def _train(config, flag_values, strategy, splits, lock, log, say):
    """Trains; returns the model and the prefix of its last checkpoint.

    Args:
        config: `RunConfig`.
        flag_values: Dict, for `flags.json`.
        strategy: `tf.distribute.Strategy`.
        splits: `evaluation.Splits` or None.
        lock: `contextlib.ExitStack` that gets the lock of the folder, in the chief.
        log: `loggers.Loggers` that are opened, in the chief.
        say: Callable that prints a line for the user.
    """
    folder = config.model_dir
    is_there = os.path.isdir(folder)

    def before_reading():
        if is_there:
            lock.enter_context(locking.locked(folder, say))

    def before_writing():
        files.make_directory(folder)
        if not is_there:
            lock.enter_context(locking.locked(folder, say))
        files.write_json(os.path.join(folder, "flags.json"), flag_values)
        run = loggers.Run(folder, session.first_step, config.flags())
        log.open(config.loggers, run)

    agreement.by_chief(strategy, before_reading)
    session = preparing.prepare(config, strategy, say)
    if splits is not None:
        splits.require_classes(
            session.model.num_classes, session.about["probe_dataset"]
        )
    agreement.by_chief(strategy, before_writing)
    return session.model, training.train(session, log, say)


def _deliver(config, model, prefix, step, splits, strategy, log, say):
    """Judges a model where there are `splits`, and writes its `--export_formats`.

    Args:
        config: `RunConfig`.
        model: `SimCLR` or `Classifier`.
        prefix: Str, the checkpoint that it is in.
        step: Int, that of the checkpoint.
        splits: `evaluation.Splits` or None.
        strategy: `tf.distribute.Strategy` that the model was made under.
        log: `loggers.Loggers`, open if this process has trained.
        say: Callable that prints a line for the user.
    """
    chief = distribution.is_chief(strategy)
    probe = checkpoints.probe_of_head(prefix, config)
    if splits is not None:
        splits.require_classes(model.num_classes, probe)
    if chief:
        files.make_directory(config.model_dir)
    results = None
    if splits is not None:
        run = loggers.Run(config.model_dir, flags=config.flags())
        agreement.by_chief(strategy, lambda: log.open(config.loggers, run))
        results = evaluation.evaluate(config, model, step, splits, log, probe, say)
    if not chief:
        return
    if strategy.num_replicas_in_sync > 1:
        # Variables of replicas belong to all: a copy on this device alone is saved.
        of_checkpoint = dataclasses.replace(config, checkpoint=prefix)
        copy = checkpoints.unless_deleted(prefix, lambda: loading.load(of_checkpoint))
        if copy is None:
            say(f"{prefix} was deleted before it was exported: left out.")
            return
        model, _ = copy
    exporting.export_model(config, model, prefix, results, say)


def _say_nothing(line):
    pass
