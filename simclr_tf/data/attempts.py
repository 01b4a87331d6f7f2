"""Reading that may fail, in graph mode: only `tf.data` can go on after an error."""

import tensorflow as tf

from simclr_tf.data import threads


def attempt(read, element):
    """Tries to `read` an element.

    Args:
        read: Function in graph mode from a tensor to tensors.
        element: Tensor.

    Returns:
        `(readable, values)`: bool scalar, and the result of `read`, or zeros if it
        fails (`[0, ..]` if a size is not known).
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
    """Reads the first index from `index` on that can be read.

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


def attempt_pieces(numbers, read, take, piece):
    """Applies `read` to each number, or `take` where that fails, in pieces.

    All are read as if nothing could go wrong, which costs nothing, and `tf.data` drops
    the pieces in which something does. Their numbers are then taken one by one. At most
    as many are read at a time as there are cores.

    Args:
        numbers: `range` of successive ints, a whole number of pieces.
        read: Function in graph mode from an int64 scalar to a tuple of tensors.
        take: Like `read`, but it never fails.
        piece: Int, numbers per element of the result.

    Returns:
        `tf.data.Dataset` of `(numbers, values)`, int64 `[piece]` and tensors
        `[piece, ..]`, in order.
    """
    parallel = threads.per_image()
    tried = tf.data.Dataset.range(numbers.start, numbers.stop).map(
        lambda number: (number, read(number)), **parallel
    )
    pieces = tried.batch(piece).ignore_errors()
    nothing = zeros(pieces.element_spec[1])
    end = tf.data.Dataset.from_tensors((tf.constant([numbers.stop], tf.int64), nothing))

    def with_missing(expected, element):
        found, values = element
        following = tf.minimum(found[-1] + 1, numbers.stop)
        wanted = tf.range(expected, following)

        def found_or_taken(number):
            return tf.cond(
                number < found[0],
                lambda: take(number),
                lambda: tf.nest.map_structure(lambda of: of[number - found[0]], values),
            )

        def one_by_one():
            each = tf.data.Dataset.from_tensor_slices(wanted)
            each = each.map(found_or_taken, **parallel)
            return each.batch(tf.size(wanted, tf.int64)).get_single_element()

        values = tf.cond(found[0] == expected, lambda: values, one_by_one)
        return following, (wanted, values)

    pieces = pieces.concatenate(end)
    pieces = pieces.scan(tf.constant(numbers.start, tf.int64), with_missing)
    pieces = pieces.filter(lambda wanted, _: tf.size(wanted) > 0)
    return pieces.rebatch(piece, drop_remainder=True)


def zeros(spec):
    """Zeros for nested `tf.TensorSpec`s; sizes that are not known are 0."""
    return tf.nest.map_structure(
        lambda one: tf.zeros([side or 0 for side in one.shape], one.dtype), spec
    )


def _with_shape(value, spec):
    known = [side or None for side in spec.shape]
    return tf.ensure_shape(value, known)
