"""NT-Xent without the matrix of all similarities: a block of rows at a time.

In the forward pass, a block of similarities is computed, reduced to one number per row
and dropped. In the backward pass it is computed again. Because similarity is symmetric,
a replica can compute the gradient of its own rows from the embeddings of all replicas,
and from the weight of the loss and the logarithm of the sum of exponentials of every
row.
"""

import tensorflow as tf

from simclr_tf.losses import metrics
from simclr_tf.losses._rows import in_blocks, joined


def compare(mine, temperature, gather, max_cells, max_cosine=None, with_metrics=False):
    """Cross-entropies of finding the other view, without holding all similarities.

    Args:
        mine: Float32 `[b, 2, E]`, the pairs of this replica.
        temperature: Positive float.
        gather: Callable from `[b, ...]` to `[B, ...]`, the rows of all replicas, this
            one's first.
        max_cells: Int, most similarities that are held at a time.
        max_cosine: Float, bound of the magnitude of all similarities (before the
            temperature), or None if it is not known.
        with_metrics: Bool, whether accuracies and entropies are wanted.

    Returns:
        `(losses, accuracies, entropies)`: float32 `[b, 2]`, `[b]`, `[b]`. Only the
        losses have gradients; without metrics the others are zeros.
    """
    everyone = tf.stop_gradient(gather(mine))
    block = _block(tf.shape(mine)[0], tf.shape(everyone)[0], max_cells)
    # Up to e^40 a sum of exponentials needs no care to stay in the range of float32.
    in_range = max_cosine is not None and max_cosine / temperature <= 40.0

    @tf.custom_gradient
    def compared(mine):
        losses, log_sums, *figures = _forward(
            mine, everyone, temperature, block, in_range, with_metrics
        )

        def gradient(upstream, *_):
            known = gather(tf.stack([log_sums, upstream], axis=-1))
            return _backward(mine, everyone, temperature, block, in_range, known)

        return (losses, *figures), gradient

    return compared(mine)


def _forward(mine, everyone, temperature, block, in_range, with_metrics):
    """`[losses, log_sums, accuracies, entropies]`, the first two `[b, 2]`."""
    columns = _by_view(everyone)  # [2B, E]
    count = tf.shape(everyone)[0]

    def of_block(number, pairs):
        itself = _itself(number, block, count)
        rows = _by_view(pairs) / temperature  # [2 block, E]
        partner = tf.reduce_sum(rows * _by_view(pairs[:, ::-1]), axis=1)
        logits = tf.matmul(rows, columns, transpose_b=True)  # [2 block, 2B]
        figures = 2 * [tf.zeros([block])]
        if with_metrics:  # first views to second views
            across = logits[:block, count:]
            figures = metrics.from_logits(across, itself[block:] - count)
        if in_range:
            log_sums = tf.math.log(
                tf.reduce_sum(_with_cells(tf.exp(logits), itself, 0.0), axis=1)
            )
        else:
            logits = _with_cells(logits, itself, logits.dtype.min)
            log_sums = tf.reduce_logsumexp(logits, axis=1)
        return (_by_pair(log_sums - partner), _by_pair(log_sums), *figures)

    blocks = in_blocks(mine, block)
    results = tf.map_fn(
        lambda item: of_block(*item),
        (tf.range(tf.shape(blocks)[0]), blocks),
        fn_output_signature=(tf.float32,) * 4,
        parallel_iterations=1,
    )
    return [joined(result, tf.shape(mine)[0]) for result in results]


def _backward(mine, everyone, temperature, block, in_range, known):
    """Gradient `[b, 2, E]` of `mine`, including the parts from other replicas' losses.

    Loss i, of weight w_i, is ln(sum_k exp S_ik) - S_ip. Its gradient with respect to
    S_ij is w_i exp(S_ij) / sum_k exp(S_ik), and S_ij = S_ji occurs in loss j too.
    """
    columns = _by_view(everyone)
    count = tf.shape(everyone)[0]
    of_columns = _by_view(known)  # [2B, 2]

    def of_block(item):
        number, pairs, of_rows = item
        itself = _itself(number, block, count)
        rows, of_rows = _by_view(pairs) / temperature, _by_view(of_rows)
        logits = tf.matmul(rows, columns, transpose_b=True)  # [2 block, 2B]
        if in_range:
            of_row, of_column = (
                of[:, 1] * tf.exp(-of[:, 0]) for of in (of_rows, of_columns)
            )
            shares = tf.exp(logits) * (of_row[:, tf.newaxis] + of_column)
        else:
            log_sum, weight = of_rows[:, :1], of_rows[:, 1:]
            shares = weight * tf.exp(logits - log_sum)
            shares += of_columns[:, 1] * tf.exp(logits - of_columns[:, 0])
        shares = _with_cells(shares, itself, 0.0)
        return _by_pair(tf.matmul(shares, columns))

    blocks = in_blocks(mine, block)
    gradient = tf.map_fn(
        of_block,
        (
            tf.range(tf.shape(blocks)[0]),
            blocks,
            in_blocks(known[: tf.shape(mine)[0]], block),
        ),
        fn_output_signature=tf.float32,
        parallel_iterations=1,
    )
    gradient = joined(gradient, tf.shape(mine)[0])
    weight = tf.reduce_sum(known[: tf.shape(mine)[0], :, 1], axis=1)  # [b]
    return (gradient - weight[:, tf.newaxis, tf.newaxis] * mine[:, ::-1]) / temperature


def _block(rows, count, max_cells):
    """Number of images whose rows have at most `max_cells` similarities."""
    block = tf.clip_by_value(max_cells // (4 * count), 1, tf.maximum(rows, 1))
    static = tf.get_static_value(block)
    return block if static is None else int(static)


def _by_view(pairs):
    """`[b, 2, ...]` as `[2b, ...]`: all first views, then all second views."""
    return tf.concat(tf.unstack(pairs, axis=1), axis=0)


def _by_pair(rows):
    """`[2b, ...]` as `[b, 2, ...]`, the inverse of `_by_view`."""
    return tf.stack(tf.split(rows, 2), axis=1)


def _itself(number, block, count):
    """The column in which each row of a block meets itself."""
    # Rows that only fill up the last block may lie beyond: nothing looks at them.
    first = tf.minimum(number * block + tf.range(block), count - 1)
    return tf.concat([first, first + count], axis=0)


def _with_cells(matrix, columns, value):
    """`matrix` with `value` in one cell of each row."""
    cells = tf.stack([tf.range(tf.shape(columns)[0]), columns], axis=1)
    values = tf.fill(tf.shape(columns), tf.cast(value, matrix.dtype))
    return tf.tensor_scatter_nd_update(matrix, cells, values)
