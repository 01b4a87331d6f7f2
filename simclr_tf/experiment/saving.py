"""When a run is saved, and which of its checkpoints are kept."""

import json
import os
import tempfile
import time

import tensorflow as tf

from simclr_tf import distribution
from simclr_tf.errors import UserError
from simclr_tf.experiment import checkpoint_files, checkpoints
from simclr_tf.training.callbacks import StepCallback

_MOST_STEPS = 1000  # between two meetings of all processes


class Keeper:
    """Writes checkpoints of a run, and deletes all except the newest and the best.

    Every process of a run creates one and calls `save` at the same steps, because some
    variables can only be read by all together. Only the chief writes.

    Args:
        model: Compiled Keras model.
        about: Dict, the run's `description`.
        folder: Str, the run's folder; None in processes that do not write.
        keep: Int, how many of the newest are kept; 0 keeps all.
        metric: Str, the figure whose best checkpoint is kept too; or None.
    """

    def __init__(self, model, about, folder, keep, metric=None):
        self._about, self._folder = about, folder
        self._keep, self._metric = keep, metric
        self._text = tf.Variable(json.dumps(about), trainable=False, dtype=tf.string)
        self._contents = checkpoints.contents(model, self._text)
        if folder:
            checkpoint_files.clear_unfinished(folder)

    def save(self, step, figures):
        """Writes `ckpt-<step>`.

        Args:
            step: Int.
            figures: Dict of floats, values of the metrics.

        Raises:
            OSError: If it cannot be written.
        """
        self._text.assign(json.dumps(self._about | {"figures": figures}))
        if self._folder is None:
            with tempfile.TemporaryDirectory() as folder:
                checkpoint_files.write(self._contents, folder, step)
            return
        checkpoint_files.write(self._contents, self._folder, step)
        # Those of later steps are damaged: training would have begun from them.
        done = [s for s in checkpoint_files.steps(self._folder) if s <= step]
        best = self.best()
        for old in done[: -self._keep] if self._keep else ():
            if old != best:
                checkpoint_files.delete(self._folder, old)
        checkpoint_files.write_state(self._folder)

    def best(self):
        """The step of the checkpoint with the best figure; None if none has it."""
        if not (self._metric and self._folder):
            return None
        figures = {
            step: _figure(self._folder, step, self._metric)
            for step in checkpoint_files.steps(self._folder)
        }
        known = [step for step in figures if figures[step] is not None]
        choose = min if self._metric.endswith("loss") else max
        return choose(known, key=figures.get, default=None)


def _figure(folder, step, metric):
    """The value of a metric in a checkpoint or its evaluation; or None."""
    try:
        if metric.startswith("eval/"):
            path = os.path.join(folder, f"result_{step}.json")
            with open(path, encoding="utf-8") as file:
                return json.load(file).get(metric)
        prefix = checkpoint_files.path_of(folder, step)
        return checkpoints.describe(prefix, "model_dir").get("figures", {}).get(metric)
    except (OSError, ValueError):
        return None


class SaveRun(StepCallback):
    """Saves a run every so many steps, at the end, and on request.

    It checks the time and signals at the end of each step. Several workers have to do
    this together: they meet about once a second, at steps that the chief chooses, and
    then all save or stop at the same step.

    Args:
        save: Callable from a step and a dict of figures; raises `OSError` if that
            fails.
        signal: `stopping.Signal`.
        strategy: `tf.distribute.Strategy`.
        first_step: Int, see `StepCallback`.
        total_steps: Int, see `StepCallback`.
        every: Int, steps between two checkpoints.
        minutes: Float, the longest time between two; 0 means no limit.
        metric: Str, a figure of training that `save` needs; or None.
        check: Callable without arguments, called before `save`. If the model must not
            be saved, it sets it back or raises an error.
        say: Callable that prints a line for the user.
        clock: Callable that returns seconds.
    """

    def __init__(
        self,
        save,
        signal,
        strategy,
        first_step,
        total_steps,
        every,
        minutes=0.0,
        metric=None,
        check=lambda: None,
        say=print,
        clock=time.monotonic,
    ):
        super().__init__(first_step, total_steps, every)
        self._save, self._signal, self._strategy = save, signal, strategy
        self._minutes, self._metric = minutes, metric
        self._check, self._say, self._clock = check, say, clock
        self._alone = distribution.num_workers(strategy) == 1
        self._saved_at = self._met_at = clock()
        self._gap, self._until_next = 1, 1

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        self._require_metric(logs or {})
        wants_stop, time_is_over = self._asked()
        due = self.step % self.every == 0 or self.step == self.total_steps
        if due or time_is_over or wants_stop:
            self._try_to_save(needed=wants_stop or self.step == self.total_steps)
        if wants_stop:
            self.model.stop_training = True

    def _require_metric(self, logs):
        if not (self._metric is None or self._metric in logs or "/" in self._metric):
            raise UserError(
                f"--keep_best must be a figure of this training, "
                f"{', '.join(sorted(logs))}, or of its evaluation, eval/..., got "
                f"{self._metric}."
            )

    def _asked(self):
        """Whether a signal or the time asks for a checkpoint; the same for all."""
        over = bool(self._minutes) and (
            self._clock() - self._saved_at >= 60 * self._minutes
        )
        if self._alone:
            return bool(self._signal.number), over
        self._until_next -= 1
        if self._until_next:
            return False, False
        seconds = max(self._clock() - self._met_at, 1e-6)
        # The first step is slow, and no sign of the next.
        wanted = min(2 * self._gap, int(self._gap / seconds), _MOST_STEPS)
        answers = distribution.from_all(
            self._strategy, [self._signal.number, int(over), max(1, wanted)]
        )
        self._gap = self._until_next = answers[0][2]
        self._met_at = self._clock()
        return any(answer[0] for answer in answers), bool(answers[0][1])

    def _try_to_save(self, needed):
        self._check()
        results = self.model.get_metrics_result()
        figures = {name: float(value) for name, value in results.items()}
        self._saved_at = self._clock()
        try:
            self._save(self.step, figures)
        except OSError as error:
            reason = error.strerror or error
            if needed:
                raise UserError(
                    f"--model_dir: step {self.step} cannot be saved: {reason}. Make "
                    "room or give access; the same command goes on from the last "
                    "checkpoint."
                ) from error
            self._say(
                f"Warning at step {self.step}: it cannot be saved ({reason}). Training "
                "goes on; the next checkpoint may succeed."
            )
