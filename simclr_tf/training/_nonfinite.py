"""Gradients that are not finite: their norms, and steps that leave no trace."""

import tensorflow as tf

from simclr_tf import keras_compat


class GradientNorms:
    """The norm of each variable's gradient at the last step, for the end of a run.

    Args:
        variables: List of the variables that may be trained.
    """

    def __init__(self, variables):
        self._paths = [keras_compat.variable_path(variable) for variable in variables]
        self._norms = tf.Variable(
            tf.zeros([len(variables)]),
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.SUM,
        )

    def record(self, gradients):
        """Keeps the norms.

        Args:
            gradients: List of tensors, of the first variables; None has norm 0.

        Returns:
            Float32 scalar, the norm of all gradients together. Under several replicas
            each has its share of the gradient: the sum of their norms is at least that
            of the gradient.
        """
        norms = tf.stack([0.0 if g is None else _norm(g) for g in gradients])
        self._norms.assign(tf.pad(norms, [[0, len(self._paths) - len(gradients)]]))
        return tf.norm(norms)

    def largest(self, count=3):
        """List of `(path, norm)`, those that are not finite first."""
        norms = dict(
            zip(self._paths, map(float, self._norms.read_value()), strict=True)
        )

        def size(item):
            return float("inf") if item[1] != item[1] else item[1]

        return sorted(norms.items(), key=size, reverse=True)[:count]


def without_trace(step, variables):
    """Takes a step, and takes it back where what it gives is not finite.

    Args:
        step: Callable that changes variables and returns a list of scalars.
        variables: List of the variables that it changes.

    Returns:
        Float32 scalar: 1 if the step was taken back, else 0.
    """
    before = [tf.identity(tf.convert_to_tensor(variable)) for variable in variables]
    with tf.control_dependencies(before):
        found = tf.stack([tf.cast(value, tf.float32) for value in step()])
    finite = tf.reduce_all(tf.math.is_finite(found))
    for variable, old in zip(variables, before, strict=True):
        variable.assign(tf.where(finite, tf.convert_to_tensor(variable), old))
    return 1.0 - tf.cast(finite, tf.float32)


def describe(model, step, figures=()):
    """What is known of a step whose loss or gradient is not finite, in a sentence.

    Args:
        model: Compiled Keras model, with or without `gradient_norms`.
        step: Int.
        figures: Dict of floats, the step's `loss` and `gradient_norm`, if known.
    """
    names = {"loss": "loss", "gradient_norm": "norm of the gradient"}
    known = [f"{names[name]} {figures[name]:g}" for name in names if name in figures]
    known.append(f"learning rate {keras_compat.learning_rate(model.optimizer):g}")
    text = f"Loss or gradient is not finite at step {step}: {', '.join(known)}."
    norms = getattr(model, "gradient_norms", None)
    if norms is None:
        return text
    largest = [f"{path} {norm:.3g}" for path, norm in norms.largest()]
    return f"{text} Largest norms of gradients: {', '.join(largest)}."


def _norm(gradient):
    return tf.norm(tf.cast(tf.convert_to_tensor(gradient), tf.float32))
