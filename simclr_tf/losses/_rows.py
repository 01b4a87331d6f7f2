"""A loss of each row against all columns, without holding all similarities.

The losses that compare every embedding with every other share this: a block of rows at
a time is compared, reduced to one number per row and dropped. The backward pass does
the block again, and lets TensorFlow differentiate it.
"""

import tensorflow as tf

# Cells of the largest matrix of similarities that is made at once: 16 MB.
MAX_CELLS = 2**22


def by_blocks(function, rows, columns, max_cells=None):
    """`function(numbers, rows, columns)`, computed for a block of rows at a time.

    Args:
        function: Callable from the numbers `[n]` of some rows (int32), these rows
            `[n, E]` and the columns `[C, E]` to a float32 tensor `[n]` or `[n, K]`. A
            row's result must not depend on which others are in its block. No gradient
            flows to what else it reads.
        rows: Float32 `[N, E]`.
        columns: Float32 `[C, E]`.
        max_cells: Int, the most cells of a matrix `[n, C]`; None means `MAX_CELLS`.

    Returns:
        Float32 `[N]` or `[N, K]`, with gradients for `rows` and `columns`.
    """
    max_cells = MAX_CELLS if max_cells is None else max_cells
    count, width = rows.shape[0], columns.shape[0]
    if count is not None and width is not None and count * width <= max_cells:
        return function(tf.range(count), rows, columns)
    block = _block(tf.shape(rows)[0], tf.shape(columns)[0], max_cells)

    @tf.custom_gradient
    def computed(rows, columns):
        total = tf.shape(rows)[0]
        blocks = in_blocks(rows, block)
        numbers = tf.range(tf.shape(blocks)[0] * block)
        # Rows that only fill up the last block lie beyond: nothing looks at them.
        numbers = tf.reshape(tf.minimum(numbers, total - 1), [-1, block])
        results = tf.map_fn(
            lambda item: function(*item, columns),
            (numbers, blocks),
            fn_output_signature=tf.float32,
            parallel_iterations=1,
        )

        def gradient(upstream):
            def add(of_columns, item):
                numbers, rows, weights = item
                mine = tf.identity(columns)
                with tf.GradientTape() as tape:
                    tape.watch([rows, mine])
                    values = function(numbers, rows, mine)
                of_rows, more = tape.gradient(
                    values,
                    [rows, mine],
                    output_gradients=weights,
                    unconnected_gradients=tf.UnconnectedGradients.ZERO,
                )
                return of_columns + more, of_rows

            items = (numbers, blocks, in_blocks(upstream, block))
            of_columns, of_rows = _fold(add, tf.zeros_like(columns), items)
            return joined(of_rows, total), of_columns

        return joined(results, total), gradient

    return computed(rows, columns)


def log_sums(rows, columns, allowed):
    """Logarithms of each row's sum of exponentials over the allowed columns.

    Args:
        rows: Float32 `[N, E]`.
        columns: Float32 `[C, E]`.
        allowed: Callable from row numbers `[n]` to a bool mask, `[n, C]` or `[C]`.

    Returns:
        Float32 `[N]`. Where no column is allowed, the lowest float and no gradient.
    """

    def of_rows(numbers, rows, columns):
        logits = tf.matmul(rows, columns, transpose_b=True)
        logits = tf.where(allowed(numbers), logits, logits.dtype.min)
        return tf.reduce_logsumexp(logits, axis=1)

    return by_blocks(of_rows, rows, columns)


def _block(rows, columns, max_cells):
    """Number of rows whose similarities fit into `max_cells`."""
    block = tf.clip_by_value(max_cells // columns, 1, tf.maximum(rows, 1))
    static = tf.get_static_value(block)
    return block if static is None else int(static)


def in_blocks(rows, block):
    """`[N, ...]` as `[blocks, block, ...]`, filled up with zeros."""
    fill = [[0, -tf.shape(rows)[0] % block]]
    rows = tf.pad(rows, fill + [[0, 0]] * (rows.shape.rank - 1))
    return tf.reshape(rows, tf.concat([[-1, block], tf.shape(rows)[1:]], axis=0))


def joined(blocks, rows):
    """`[rows, ...]` of `[blocks, block, ...]`."""
    return tf.reshape(blocks, tf.concat([[-1], tf.shape(blocks)[2:]], axis=0))[:rows]


def _fold(add, state, items):
    """Repeats `state, output = add(state, item)`; returns the state and all outputs."""
    count = tf.shape(items[0])[0]
    outputs = tf.TensorArray(items[1].dtype, count, element_shape=items[1].shape[1:])

    def step(number, state, outputs):
        state, output = add(state, [tf.gather(item, number) for item in items])
        return number + 1, state, outputs.write(number, output)

    _, state, outputs = tf.while_loop(
        lambda number, *_: number < count,
        step,
        (0, state, outputs),
        parallel_iterations=1,
    )
    return state, outputs.stack()
