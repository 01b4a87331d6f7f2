"""Steps after which something is not finite: reported, and undone."""

import math

import tensorflow as tf
import tqdm
from tensorflow import keras

from simclr_tf import keras_compat
from simclr_tf.errors import UserError
from simclr_tf.training import _gradient_norms


class NonFinite(keras.callbacks.Callback):
    """Ends a training whose loss or gradient is not finite, or sets it back.

    The message tells the step, the learning rate, and whose gradients were largest. Put
    this callback before the one that saves the model, so that such a state is never
    saved; that one should call `check_weights` first. It also counts the steps that
    `compile(skip_nonfinite=True)` skips, and ends the training after `most_in_a_row` of
    them.

    Args:
        rewind: Callable from the step (int) that sets the model back and returns the
            name of the restored state, or None if there is none. After three times at
            one state the training ends. None: never set back.
        first_step: Int, steps done before this `fit`.
        say: Callable that prints a line for the user.
        most_in_a_row: Int.
        advice: Str, the end of the error.

    Raises:
        UserError: From `fit`, where the training ends.
    """

    def __init__(
        self,
        rewind=None,
        first_step=0,
        say=print,
        most_in_a_row=10,
        advice="Try a smaller learning rate, a longer warm-up or a larger temperature.",
    ):
        super().__init__()
        self.step = first_step
        self._rewind, self._say, self._advice = rewind, say, advice
        self._most_in_a_row = most_in_a_row
        self._skipped, self._in_a_row, self._rewound = 0, 0, []

    def on_train_begin(self, logs=None):
        self._skipped = getattr(self.model, "skipped_steps", 0)

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        logs = _gradient_norms.in_logs(self.model, logs or {})
        self._count_skipped(float(logs.get("skipped_steps", 0)))
        watched = ("loss", "gradient_norm")
        figures = {name: float(logs[name]) for name in watched if name in logs}
        if all(map(math.isfinite, figures.values())):
            return
        self._end_or_rewind(describe(self.model, self.step, figures))

    def check_weights(self):
        """Ends the training, or sets it back, if the weights are not finite.

        An update may overflow although loss and gradient are finite. Call this before
        the model is saved; it reads every variable.
        """
        if not weights_are_finite(self.model):
            what = "A weight, or the optimizer's state, is"
            what = describe(self.model, self.step, what=what)
            self._end_or_rewind(what)

    def _end_or_rewind(self, what):
        state = self._rewind(self.step) if self._rewind else None
        if state is None or self._rewound.count(state) == 3:
            raise UserError(f"{what} {self._advice}")
        self._rewound.append(state)
        self.model.reset_metrics()
        self._warn(f"{what} Back to {state}; the steps since then do not count.")

    def _count_skipped(self, skipped):
        if skipped == self._skipped:
            self._in_a_row = 0
            return
        self._skipped, self._in_a_row = skipped, self._in_a_row + 1
        what = describe(self.model, self.step)
        if self._in_a_row == self._most_in_a_row:
            raise UserError(
                f"{what} It is the {self._in_a_row}th step in a row that is skipped. "
                f"{self._advice}"
            )
        self._warn(f"{what} The step is skipped.")

    def _warn(self, text):
        with tqdm.tqdm.external_write_mode():  # a live bar makes room
            self._say(f"Warning: {text}")


def without_trace(step, variables):
    """Takes a step, and undoes it if its results are not finite.

    Args:
        step: Callable that changes variables and returns a list of scalars.
        variables: List of the variables that it changes.

    Returns:
        Float32 scalar: 1 if the step was undone, else 0.
    """
    before = [tf.identity(tf.convert_to_tensor(variable)) for variable in variables]
    with tf.control_dependencies(before):
        found = tf.stack([tf.cast(value, tf.float32) for value in step()])
    finite = tf.reduce_all(tf.math.is_finite(found))
    for variable, old in zip(variables, before, strict=True):
        variable.assign(tf.where(finite, tf.convert_to_tensor(variable), old))
    return 1.0 - tf.cast(finite, tf.float32)


def weights_are_finite(model):
    """Whether a compiled model's weights, and its optimizer's state, are all finite."""
    variables = [*model.weights, *keras_compat.state_variables(model.optimizer)]
    checks = [
        tf.reduce_all(tf.math.is_finite(tf.convert_to_tensor(variable)))
        for variable in variables
        if keras_compat.dtype_of(variable).is_floating
    ]
    return bool(tf.reduce_all(tf.stack(checks)))


def describe(model, step, figures=(), what="Loss or gradient is"):
    """A sentence about a step after which something is not finite.

    Args:
        model: Compiled Keras model, with or without `gradient_norms`.
        step: Int.
        figures: Dict of floats, the step's `loss` and `gradient_norm`, if known.
        what: Str, the beginning of the sentence.
    """
    names = {"loss": "loss", "gradient_norm": "norm of the gradient"}
    known = [f"{names[name]} {figures[name]:g}" for name in names if name in figures]
    known.append(f"learning rate {keras_compat.learning_rate(model.optimizer):g}")
    text = f"{what} not finite at step {step}: {', '.join(known)}."
    norms = getattr(model, "gradient_norms", None)
    if norms is None:
        return text
    largest = [f"{path} {norm:.3g}" for path, norm in norms.largest()]
    return f"{text} Largest norms of gradients: {', '.join(largest)}."
