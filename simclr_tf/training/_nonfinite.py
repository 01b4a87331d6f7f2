"""Steps after which something is not finite: in words, and without a trace."""

import tensorflow as tf

from simclr_tf import keras_compat


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
    """What is known of a step after which something is not finite, in a sentence.

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
