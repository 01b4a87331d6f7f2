"""The exact gradient of a loss over a batch that is processed in pieces.

The loss needs the embeddings of the whole batch at once, but the networks do not: embed
every piece without keeping activations, take the gradient of the loss with respect to
the embeddings, then embed each piece again and propagate its gradient back.

Reference: Gao et al. 2021, https://arxiv.org/abs/2101.06983, section 3.2.
"""

import tensorflow as tf

from simclr_tf import keras_compat


def pieces_of(batch, micro_batch_size):
    """The number of pieces of at most `micro_batch_size` in a batch.

    Args:
        batch: Tensor `[b, ...]`.
        micro_batch_size: Int.

    Returns:
        Int, or a scalar tensor if the graph does not know the batch size.

    Raises:
        ValueError: If it is not known with several replicas, which must all take the
            same number of pieces because batch norm spans them in each.
    """
    rows = batch.shape[0]
    if rows is None and tf.distribute.get_strategy().num_replicas_in_sync > 1:
        raise ValueError(
            "`micro_batch_size` under several replicas needs batches of a fixed size, "
            "which the replicas divide: batch(..., drop_remainder=True), and under "
            "several workers also repeat() and `steps_per_epoch`."
        )
    return -(-(tf.shape(batch)[0] if rows is None else rows) // micro_batch_size)


def embed(network, batch, pieces, state):
    """Outputs of a network for a batch, one piece at a time.

    Args:
        network: Callable from rows of `batch` to tensors `[rows, ...]`.
        batch: Tensor `[b, ...]`, or a list of them.
        pieces: Int or scalar tensor.
        state: Variables that the network updates; they are restored at the end.

    Returns:
        Tuple of tensors `[b, ...]`. No gradient flows through them.
    """
    before = [tf.identity(tf.convert_to_tensor(variable)) for variable in state]
    rows = _rows(batch)

    def add(number, outputs):
        place = _place(number, pieces, rows)[:, tf.newaxis]
        found = network(_gather(batch, place[:, 0]))
        if not outputs:  # the first piece tells their shapes
            outputs = [tf.zeros([rows, *values.shape[1:]]) for values in found]
        return tuple(
            tf.tensor_scatter_nd_update(output, place, tf.stop_gradient(values))
            for output, values in zip(outputs, found, strict=True)
        )

    outputs = _one_after_the_other(1, pieces, add, add(0, ()))
    with tf.control_dependencies(outputs):
        for variable, value in zip(state, before, strict=True):
            variable.assign(value)
        return tuple(tf.identity(output) for output in outputs)


def backward(network, batch, pieces, upstream, variables):
    """Gradients of `variables` from those of the network's first output.

    Args:
        network: Callable from rows of `batch` to tensors, the first `[rows, ...]`.
        batch: Tensor `[b, ...]`, or a list of them.
        pieces: Int or scalar tensor.
        upstream: Tensor `[b, ...]`, the gradient of the network's first output.
        variables: List of variables.

    Returns:
        List of tensors; zeros for variables that the network does not use.
    """

    def add(number, gradients):
        place = _place(number, pieces, _rows(batch))
        with tf.GradientTape() as tape:
            output = network(_gather(batch, place))[0]
        more = tape.gradient(
            output,
            variables,
            output_gradients=tf.gather(upstream, place),
        )
        return tuple(
            a if b is None else a + b for a, b in zip(gradients, more, strict=True)
        )

    zeros = tuple(tf.zeros(v.shape, keras_compat.dtype_of(v)) for v in variables)
    return list(_one_after_the_other(0, pieces, add, zeros))


def _rows(batch):
    return tf.shape(tf.nest.flatten(batch)[0])[0]


def _gather(batch, place):
    return tf.nest.map_structure(lambda tensor: tf.gather(tensor, place), batch)


def _place(number, pieces, rows):
    """Indices of the rows of a piece; pieces differ in size by at most one row."""
    return tf.range(number * rows // pieces, (number + 1) * rows // pieces)


def _one_after_the_other(first, count, body, state):
    """`state = body(number, state)` for `first .. count - 1`, never two at a time."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return tf.while_loop(
            lambda number, *_: number < count,
            lambda number, *state: (number + 1, *body(number, state)),
            (first, *state),
            parallel_iterations=1,
        )[1:]
    # Replicas cannot meet, as in batch norm, inside of a loop of TensorFlow.
    for number in range(first, count):
        with tf.control_dependencies(state):
            state = body(number, state)
    return state
