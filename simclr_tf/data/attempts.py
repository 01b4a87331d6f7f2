"""Reading that may fail, in graph mode: `tf.data` alone can go on after an error."""

import tensorflow as tf


def attempt(read, element):
    """What `read` makes of an element, if it can.

    Args:
        read: Function in graph mode from a tensor to tensors.
        element: Tensor.

    Returns:
        `(readable, values)`: bool scalar, and what `read` gives; zeros (`[0, ..]`
        where a size is not known) if it fails.
    """
    example = tf.data.Dataset.from_tensors(element).map(
        lambda element: (tf.constant(True), read(element))
    )
    nothing = tf.data.Dataset.from_tensors(zeros(example.element_spec))
    example = example.ignore_errors().concatenate(nothing).take(1)
    readable, values = example.get_single_element()
    spec = nothing.element_spec[1]
    return readable, tf.nest.map_structure(_with_shape, values, spec)


def attempt_next(read, index, spec):
    """What `read` makes of the first index from `index` on where it can.

    Args:
        read: Function in graph mode from an index to `(readable, next_index, values)`.
        index: Int64 scalar.
        spec: Nested `tf.TensorSpec` of the values.

    Returns:
        The values.
    """
    start = (False, index, zeros(spec))
    scalars = [tf.TensorShape([])] * 2
    shapes = (*scalars, tf.nest.map_structure(lambda one: one.shape, spec))
    return tf.while_loop(
        lambda readable, *_: ~readable,
        lambda readable, index, values: read(index),
        start,
        shape_invariants=shapes,
    )[2]


def zeros(spec):
    """Zeros of nested `tf.TensorSpec`s; sides that are not known are 0."""
    return tf.nest.map_structure(
        lambda one: tf.zeros([side or 0 for side in one.shape], one.dtype), spec
    )


def _with_shape(value, spec):
    known = [side or None for side in spec.shape]
    return tf.ensure_shape(value, known)
