"""The sweep itself: chooses the next trial, and remembers the finished ones."""

import hashlib
import importlib
import os
import re
import time

from simclr_tf.errors import Stopped, UserError
from tools.sweep import process, results
from tools.sweep.plan import Range

_FILE = "study.db"
_LONGEST = 120  # characters of a folder's name


class _LeftOpen(BaseException):
    """Stands for `Stopped`, a KeyboardInterrupt, which Optuna notes as a failure."""


def require():
    """Refuses to start without Optuna.

    Raises:
        UserError: With the command that installs it.
    """
    try:
        importlib.import_module("optuna")
    except ImportError as error:
        raise UserError(
            f"Optuna is needed and cannot be imported ({error}):"
            ' pip install ".[sweep]" in the clone of simclr-tf.'
        ) from error


def run(plan, signal, say=print):
    """Runs all unfinished trials, and writes the tables after each.

    Args:
        plan: `Plan`.
        signal: `stopping.Signal` that is noted, not raised.
        say: Callable that prints a line for the user.

    Raises:
        UserError: If the folder belongs to another sweep.
        Stopped: If a signal arrived; the trial has saved a checkpoint.
        process.Interrupted: If a trial was interrupted, which is not a result.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)  # `say` reports trials
    study = optuna.create_study(
        storage=f"sqlite:///{os.path.join(os.path.abspath(plan.folder), _FILE)}",
        study_name="sweep",
        direction="minimize" if plan.lowest_is_best else "maximize",
        load_if_exists=True,
    )
    _require_same(study, plan)
    total = plan.trials or len(list(plan.grid()))
    names = ", ".join(plan.axes)
    say(f"{total} trials of {names}; {_finished(study)} are done.")

    def value_of(params):
        since = time.monotonic()
        words = " ".join(f"{name}={value}" for name, value in params.items())
        words = f"trial {_finished(study) + 1}/{total}  {words}"
        folder = os.path.join(plan.folder, folder_of(params))
        try:
            value = process.run(folder, plan.command(params), plan.objective, signal)
        except process.TrialFailed as error:
            say(f"{words}  failed: {error}")
            raise
        seconds = time.monotonic() - since
        say(f"{words}  {plan.objective} {value:.4g}  ({seconds:.0f} s)")
        return value

    def choose_and_run(trial):
        try:
            return value_of({name: _suggest(trial, plan, name) for name in plan.axes})
        except Stopped as stop:
            raise _LeftOpen from stop

    def write(study, trial):
        results.write(plan, study.get_trials(deepcopy=False))

    _finish_open_trials(study, plan, value_of)
    study.sampler = _sampler(plan, study)
    left = total - _finished(study)
    if left > 0:
        try:
            study.optimize(
                choose_and_run, left, catch=(process.TrialFailed,), callbacks=[write]
            )
        except _LeftOpen as left_open:
            raise left_open.__cause__ from None
    write(study, None)


def folder_of(params):
    """The name of a trial's folder, which depends only on the choices.

    Example:
        >>> folder_of({"temperature": "0.1", "seed": "1"})
        'temperature=0.1,seed=1'
    """
    text = ",".join(f"{name}={value}" for name, value in params.items())
    name = re.sub(r"[^\w.=,+-]", "_", text)[:_LONGEST]
    if name == text:
        return name
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _require_same(study, plan):
    """Refuses a folder whose trials had other flags or axes."""
    now = {
        "flags": plan.flags,
        "axes": {name: str(axis) for name, axis in plan.axes.items()},
        "objective": plan.objective,
    }
    for name, value in now.items():
        then = study.user_attrs.get(name, value)
        if then != value:
            raise UserError(
                f"--model_dir={plan.folder} belongs to a sweep with other {name}: "
                f"{then}, got {value}. Give another folder."
            )
        study.set_user_attr(name, value)


def _finished(study):
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))


def _finish_open_trials(study, plan, value_of):
    """Continues trials that were stopped or killed, alone or with the whole sweep."""
    import optuna

    running = (optuna.trial.TrialState.RUNNING,)
    for trial in study.get_trials(states=running):
        if trial.params.keys() != plan.axes.keys():
            continue  # killed before all values were chosen
        # In the order of the axes, as in the folder's name.
        params = {name: trial.params[name] for name in plan.axes}
        try:
            study.tell(trial.number, value_of(params))
        except process.TrialFailed:
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def _suggest(trial, plan, name):
    axis = plan.axes[name]
    if not isinstance(axis, Range):
        return trial.suggest_categorical(name, axis)
    suggest = trial.suggest_int if axis.whole else trial.suggest_float
    return suggest(name, axis.low, axis.high, log=axis.log)


def _sampler(plan, study):
    import optuna

    if plan.sampler == "grid":
        return optuna.samplers.GridSampler(plan.axes, seed=0)
    kinds = {
        "random": optuna.samplers.RandomSampler,
        "tpe": optuna.samplers.TPESampler,
    }
    # A continued sweep must not repeat the first draws.
    return kinds[plan.sampler](seed=len(study.trials))
