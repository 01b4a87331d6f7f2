"""Gradients of any optimizer: scaled for mixed_float16, and watched."""

import tensorflow as tf

from simclr_tf.keras_compat.kerases import IS_KERAS_3
from simclr_tf.keras_compat.optimizers import inner_optimizer


def scaled_gradients(tape, loss, sources, optimizer):
    """Gradients of `loss`, scaled up if mixed_float16 would round them to 0.

    Args:
        tape: `tf.GradientTape` that saw the loss.
        loss: Float scalar.
        sources: List of tensors or variables.
        optimizer: The compiled optimizer.

    Returns:
        List of tensors for `unscaled`, with None for sources that are not connected.
    """
    # Scaling what flows back from the loss is the same as scaling the loss.
    scale = tf.ones_like(loss)
    if IS_KERAS_3:
        scale = optimizer.scale_loss(scale)
    elif hasattr(optimizer, "get_scaled_loss"):
        scale = optimizer.get_scaled_loss(scale)
    return tape.gradient(loss, sources, scale)


def unscaled(gradients, optimizer):
    """Gradients for `optimizer.apply_gradients` from those of `scaled_gradients`."""
    if not IS_KERAS_3 and hasattr(optimizer, "get_unscaled_gradients"):
        return optimizer.get_unscaled_gradients(gradients)
    return gradients  # Keras 3 scales back when it applies them


def scales_loss(optimizer):
    """Whether an optimizer scales the loss for mixed_float16, and may skip a step."""
    return inner_optimizer(optimizer) is not optimizer


def watch_gradients(optimizer, watch):
    """Makes an optimizer report the gradients that it applies.

    Args:
        optimizer: Keras optimizer, also a legacy one, or one that scales the loss.
        watch: Callable that gets a list of `(gradient, tf.Variable)` at each step, in
            each replica, after the gradients have been summed over the replicas. On
            Keras 3 they are already clipped, if the optimizer clips.
    """
    optimizer = inner_optimizer(optimizer)
    names = "_all_reduce_sum_gradients", "aggregate_gradients", "_aggregate_gradients"
    name = next(name for name in names if hasattr(optimizer, name))
    vars(optimizer).pop(name, None)  # an earlier watch
    add_up = getattr(optimizer, name)

    def watched(gradients_and_variables):
        added_up = list(add_up(list(gradients_and_variables)))
        watch(added_up)
        return added_up

    setattr(optimizer, name, watched)
