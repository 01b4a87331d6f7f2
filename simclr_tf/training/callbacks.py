"""Callbacks that act every so many steps of `fit`: summaries, progress, warnings."""

import io
import math
import sys
import time

import tensorflow as tf
import tqdm
from tensorflow import keras

from simclr_tf.training import _gradient_norms, _problems
from simclr_tf.training._nonfinite import NonFinite

__all__ = [
    "Diagnostics",
    "NonFinite",
    "Profile",
    "Progress",
    "StepCallback",
    "Summaries",
]

_STEPS_OF_ESTIMATE = 5
_WORTH_SAYING = 30  # seconds; shorter estimates are not printed
_PICTURES = 8  # of each view


class StepCallback(keras.callbacks.Callback):
    """A callback that knows the global step after each batch.

    Args:
        first_step: Int, the steps done before this `fit`.
        total_steps: Int, the step at which training ends; None if it is not known.
        every: Int >= 1, `on_step` is called every so many steps and at the last one.
    """

    def __init__(self, first_step, total_steps, every):
        super().__init__()
        self.step = first_step
        self.total_steps = total_steps
        self.every = every

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step % self.every == 0 or self.step == self.total_steps:
            # Keras 3 logs the first replica's values; the metrics cover all replicas.
            results = self.model.get_metrics_result()
            logs = {name: results.get(name, logs[name]) for name in logs or {}}
            logs = _gradient_norms.in_logs(self.model, logs)
            self.on_step(self.step, logs)

    def on_step(self, step, logs):
        """Called with the global step and the running means of the metrics."""


class Summaries(StepCallback):
    """Logs `train/...` and `learning_rate`, means since the last summary.

    It resets the running means after each summary.

    Args:
        loggers: `simclr_tf.loggers.Loggers`.
        schedule: Callable from the step to the learning rate.
        first_step: Int, see `StepCallback`.
        total_steps: Int, see `StepCallback`.
        every: Int, steps between two summaries.
        views: Callable that gives the views of the first batch, each `[B, S, S, 3]` in
            [0, 1]; the first few of each are written as pictures. None: no pictures.
            It is called after the first step, so as not to delay it.
    """

    def __init__(self, loggers, schedule, first_step, total_steps, every, views=None):
        super().__init__(first_step, total_steps, every)
        self._loggers = loggers
        self._schedule = schedule
        self._starts_anew = False
        self._views = views

    def on_train_batch_end(self, batch, logs=None):
        if self._views is not None:
            names = ("view_a", "view_b", "small_view")
            views = zip(names, self._views(), strict=False)
            pictures = {f"train/{name}": view[:_PICTURES] for name, view in views}
            self._loggers.images(self.step, pictures)
            self._views = None
        super().on_train_batch_end(batch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        if self._starts_anew:  # only now, since a checkpoint reports these means too
            self.model.reset_metrics()
            self._starts_anew = False

    def on_step(self, step, logs):
        names = {"loss": "total_loss"}
        figures = {
            f"train/{names.get(name, name)}": float(value)
            for name, value in logs.items()
        }
        # The rate of the step just done.
        figures["learning_rate"] = float(self._schedule(step - 1))
        self._loggers.scalars("train", step, figures)
        self._starts_anew = True


class Profile(StepCallback):
    """A profile of some steps, for TensorBoard: what ran when, on which device.

    Args:
        directory: Str, a folder of event files; the profile goes to `plugins/profile`
            in it.
        first: Int >= 1, the first step to profile.
        last: Int, the last step to profile.
        first_step: Int, see `StepCallback`.
    """

    def __init__(self, directory, first, last, first_step=0):
        super().__init__(first_step, None, every=1)
        self._directory, self._first, self._last = directory, first, last
        self._runs = False

    def on_train_batch_begin(self, batch, logs=None):
        if self._first <= self.step + 1 <= self._last and not self._runs:
            tf.profiler.experimental.start(self._directory)
            self._runs = True

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step == self._last:
            self.on_train_end()

    def on_train_end(self, logs=None):
        if self._runs:
            tf.profiler.experimental.stop()
            self._runs = False


class Progress(StepCallback):
    """A live bar on a terminal, or else a plain line every `every` steps.

    Before these lines it estimates, from the first steps, how long training will take.

    Args:
        batch_size: Int, images per step, for images/s.
        first_step: Int, see `StepCallback`.
        total_steps: Int, see `StepCallback`.
        every: Int, steps between two plain lines.
        file: Where to write; stdout if None.
        silent: Bool, whether to write nothing.
        arrivals: `simclr_tf.data.Arrivals` of the batches, to show the share of time
            spent waiting for them; or None.
    """

    def __init__(
        self,
        batch_size,
        first_step,
        total_steps,
        every,
        file=None,
        silent=False,
        arrivals=None,
    ):
        super().__init__(first_step, total_steps, every)
        self._batch_size = batch_size
        self._file = io.StringIO() if silent else file or sys.stdout
        self._bar = None
        self._arrivals, self._waited = arrivals, 0.0

    def on_train_begin(self, logs=None):
        self._since, self._since_step = time.monotonic(), self.step
        if self._arrivals is not None:
            self._arrivals.forget()
        if self._file.isatty():
            self._bar = tqdm.tqdm(
                total=self.total_steps,
                initial=self.step,
                unit="step",
                dynamic_ncols=True,
                file=self._file,
            )

    def on_train_batch_begin(self, batch, logs=None):
        self._begun = time.time()

    def on_train_batch_end(self, batch, logs=None):
        if self._arrivals is not None:
            self._waited += self._arrivals.waited_since(self._begun)
        if self.step == self._since_step:  # the first step, which includes tracing
            self._first_ended, self._waited = time.monotonic(), 0.0
        super().on_train_batch_end(batch, logs)
        done = self.step - self._since_step
        if done == 1 + _STEPS_OF_ESTIMATE and self._bar is None:
            a_step = (time.monotonic() - self._first_ended) / _STEPS_OF_ESTIMATE
            seconds = (self.total_steps - self.step) * a_step
            if seconds > _WORTH_SAYING:
                left = tqdm.tqdm.format_interval(seconds)
                self._print(f"step {self.step}/{self.total_steps}  about {left} to go")
        if self._bar is not None:
            self._bar.set_postfix_str(self._figures(logs or {}), refresh=False)
            self._bar.update()

    def on_step(self, step, logs):
        if self._bar is None:
            seconds = time.monotonic() - self._since
            rate = (step - self._since_step) / max(seconds, 1e-9)
            left = tqdm.tqdm.format_interval((self.total_steps - step) / rate)
            figures = self._figures(logs)
            self._print(f"step {step}/{self.total_steps}  {figures}  {left} left")

    def _print(self, line):
        print(line, file=self._file, flush=True)

    def _figures(self, logs):
        loss = "contrast_loss" if "contrast_loss" in logs else "loss"
        shown = {loss: loss, "contrast_acc": "contrast_acc", "supervised_acc": "acc"}
        shown["temperature"] = "temperature"
        figures = [
            f"{label} {float(logs[name]):.3f}" + _chance(logs, name)
            for name, label in shown.items()
            if name in logs
        ]
        steps = self.step - self._since_step
        seconds = max(time.monotonic() - self._since, 1e-9)
        figures.append(f"{steps * self._batch_size / seconds:.0f} images/s")
        if self._arrivals is not None and steps > 1:
            seconds = max(time.monotonic() - self._first_ended, 1e-9)
            figures.append(f"{self._waited / seconds:.0%} waiting")
        return "  ".join(figures)

    def on_train_end(self, logs=None):
        if self._bar is not None:
            self._bar.close()


class Diagnostics(StepCallback):
    """Warns in words, once per problem, when training makes no progress.

    It judges what `SimCLR` logs, starting some time after the warm-up. The problems are
    collapsed embeddings; a contrastive loss that is at chance, or has not fallen since
    training began; and a linear head that guesses. In user code: `model.fit(data,
    callbacks=[Diagnostics(warmup_steps=500)])`. It reads means since the epoch began,
    or since `Summaries` last wrote, so put it before `Summaries`.

    Args:
        warmup_steps: Int, steps over which the learning rate rises.
        after_steps: Int, steps after those (and after `first_step`) before anything is
            judged. In a short training it is half of the remaining steps, at least 20.
        first_step: Int, see `StepCallback`.
        total_steps: Int, see `StepCallback`.
        every: Int, steps between two checks.
        say: Callable that prints a line for the user.
    """

    def __init__(
        self,
        warmup_steps=0,
        after_steps=100,
        first_step=0,
        total_steps=None,
        every=20,
        say=print,
    ):
        super().__init__(first_step, total_steps, every)
        start = max(first_step, warmup_steps)
        if total_steps is not None:
            after_steps = min(after_steps, max(20, (total_steps - start) // 2))
        self._judge_from = start + after_steps
        self._say, self._said = say, set()
        self._first_loss, self._first_chance = math.inf, None

    def on_train_begin(self, logs=None):
        # A loss that continues earlier training may have stopped falling.
        iterations = tf.convert_to_tensor(self.model.optimizer.iterations)
        self._is_new = self.step == 0 and int(iterations) == 0

    def on_step(self, step, logs):
        figures = {name: float(value) for name, value in logs.items()}
        if step >= self._judge_from:
            num_classes = getattr(self.model, "num_classes", None)
            problems = _problems.find(
                figures, self._first_loss, num_classes, self._first_chance
            )
            for kind in sorted(problems.keys() - self._said):
                with tqdm.tqdm.external_write_mode():  # keeps a live bar intact
                    self._say(f"Warning at step {step}: {problems[kind]}")
            self._said |= problems.keys()
        if self._is_new:
            self._first_loss = figures.get("contrast_loss", math.inf)
            self._first_chance = figures.get("contrast_loss_chance")
            self._is_new = False


def _chance(logs, name):
    """The value by guessing, as shown after a figure: " (chance 6.236)"."""
    chance = logs.get(f"{name}_chance")
    return "" if chance is None else f" (chance {float(chance):.3f})"
