"""The checkpoints of a run as they appear, for evaluation beside the training."""

import os
import time
import typing

from tensorflow import keras

from simclr_tf import distribution
from simclr_tf.errors import UserError
from simclr_tf.experiment import checkpoint_files, checkpoints, loading

# Seconds between two looks into the folder.
_PAUSE = 2.0
# In place of a step: there is no other checkpoint.
_NONE = -1


class Checkpoint(typing.NamedTuple):
    """A checkpoint, and the model that was filled from it."""

    prefix: str
    step: int
    model: keras.Model


def follow(config, strategy, say=print):
    """The newest checkpoint of a run, then each new one in order until it is done.

    A run is done when the checkpoint of its last step is there. The chief decides which
    one is next, and all processes read it. All fill the same model.

    Args:
        config: `RunConfig`. With `checkpoint` there is only that one; otherwise those
            in `model_dir`, and `eval.eval_timeout` is the time to wait for the next
            one, in seconds; 0 takes only the newest.
        strategy: `tf.distribute.Strategy` that the model is made under.
        say: Callable that prints a line for the user.

    Yields:
        `Checkpoint`. One that was deleted before it was read is left out.

    Raises:
        UserError: If there is none in time or it holds another network; immediately, if
            all that are there are damaged, since no training goes on from them.
    """
    if config.checkpoint:
        prefix, _ = checkpoints.chosen(config, say)
        model, step = loading.load(config, strategy)
        yield Checkpoint(prefix, step, model)
        return
    folder, timeout = config.model_dir, config.eval.eval_timeout
    checkpoint_files.newest(folder, "model_dir", say=lambda line: None)
    reader = _Reader(config, strategy)
    step, total = _NONE, None
    while total is None or step < total:
        before = step
        step = _next(folder, before, total, timeout, strategy, say)
        if step == _NONE:
            break
        prefix = checkpoint_files.path_of(folder, step)
        if not reader.read(prefix):
            say(f"{prefix} was deleted before it was read: left out.")
            continue
        total = reader.total_steps
        yield Checkpoint(prefix, step, reader.model)
        if not timeout:
            break
    if total is None:
        checkpoints.find(folder, "model_dir", say)  # says that there is none


class _Reader:
    """Fills one model from one checkpoint after another, in all processes at once.

    Attributes:
        model: The model, from the first checkpoint on.
        total_steps: Int, the last step of the run according to the last checkpoint, or
            the checkpoint's own step if it does not tell.
    """

    def __init__(self, config, strategy):
        self._config, self._strategy = config, strategy
        self.model = self.total_steps = None

    def read(self, prefix):
        """Fills the model; False if the checkpoint is no longer there."""
        about = self._tried(prefix, lambda: checkpoints.describe(prefix, "model_dir"))
        if about is None:
            return False
        if self.model is None:
            self.model, self._wanted = loading.build_as(
                self._config, about, self._strategy
            )
        last = checkpoints.step_of(prefix)
        self.total_steps = about.get("train_steps") or last
        return self._tried(prefix, lambda: self._fill(prefix)) is not None

    def _fill(self, prefix):
        checkpoints.require_same(prefix, "model_dir", self._wanted)
        model = self.model
        checkpoints.fill(
            prefix, model.encoder, model.projection_head, model.linear_head
        )
        return model

    def _tried(self, prefix, read):
        """`read()`, or None in all processes if in one the checkpoint was deleted."""
        result = checkpoints.unless_deleted(prefix, read)
        done = distribution.from_all(self._strategy, int(result is not None))
        if all(done):
            return result
        is_there = checkpoint_files.is_there(prefix)
        if distribution.from_all(self._strategy, int(is_there))[0]:
            raise UserError(
                f"--model_dir={os.path.dirname(prefix)} must be a folder that all "
                f"workers share: not all find {os.path.basename(prefix)} there."
            )
        return None


def _next(folder, last, total, timeout, strategy, say):
    """The step of the checkpoint after that of step `last`, or `_NONE`."""
    step = 0
    if distribution.is_chief(strategy):
        step = _await(folder, last, total, timeout, say)
    return distribution.from_all(strategy, step)[0]


def _await(folder, last, total, timeout, say):
    """`_next` for the chief: looks repeatedly until the time is over."""
    deadline = time.monotonic() + timeout
    damaged = set()
    step = _step_after(folder, last, damaged, say)
    if step == _NONE and timeout:
        there = f"No checkpoint in {folder} yet; waiting up to {timeout:g} s for one."
        if total is not None:
            there = (
                f"ckpt-{last} of {total} steps; waiting up to {timeout:g} s for the "
                "next one."
            )
        say(there)
    while step == _NONE and time.monotonic() < deadline:
        time.sleep(min(_PAUSE, timeout))
        step = _step_after(folder, last, damaged, say)
    if step == _NONE and timeout:
        say(f"No new checkpoint in {timeout:g} s.")
    return step


def _step_after(folder, last, damaged, say):
    """The next step with a checkpoint; at first the newest of all.

    Steps of damaged ones are skipped, reported once, and added to `damaged`.
    """
    later = [step for step in checkpoint_files.steps(folder) if step > last]
    for step in later if last != _NONE else reversed(later):
        if step in damaged:
            continue
        prefix = checkpoint_files.path_of(folder, step)
        reason = checkpoint_files.damage(prefix)
        if reason is None:
            return step
        if checkpoint_files.is_there(prefix):  # else it was deleted meanwhile
            damaged.add(step)
            say(f"ckpt-{step} is damaged and left out ({reason}).")
    return _NONE
