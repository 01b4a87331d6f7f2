"""The losses of one embedding among all others: what they share."""

import typing

import tensorflow as tf

from simclr_tf.losses import _pairs, _rows, metrics
from simclr_tf.losses.contrastive import ContrastiveLoss


class Block(typing.NamedTuple):
    """Some rows against all columns, for the equation of a loss.

    Columns are the embeddings of all replicas, image by image: the first view of image
    0, its second view, the first view of image 1, ...; then the negatives of a memory.

    Attributes:
        rows: Float32 `[n, E]`, divided by the square root of the temperature.
        logits: Float32 `[n, C]`, similarities divided by the temperature.
        positive: Float32 `[n]`, those to the other view of the row's image.
        is_other: Bool `[n, C]`, whether a column is a candidate: all but the row
            itself and empty places.
        is_negative: Bool `[n, C]`, whether a candidate is of another image.
        is_same_class: Bool `[n, C]`, whether a column is known to be of the row's
            class; None without labels.
        temperature: Float, or a scalar tensor. No gradient flows to it from here, but
            one does through `rows` and `logits`.
    """

    rows: tf.Tensor
    logits: tf.Tensor
    positive: tf.Tensor
    is_other: tf.Tensor
    is_negative: tf.Tensor
    is_same_class: tf.Tensor | None
    temperature: typing.Any


class RowwiseLoss(ContrastiveLoss):
    """A contrastive loss that is a mean over rows, each compared with all columns.

    A subclass implements `_of_rows`, from a `Block` to the losses `[n]` of its rows. It
    is computed for a block at a time where all similarities are too many, see
    `_rows.by_blocks`.
    """

    hidden_norm = True
    temperature = 1.0

    def _of_rows(self, block):
        raise NotImplementedError

    def _compare(self, view_a, view_b, given, with_metrics):
        temperature = given.temperature
        temperature = self.temperature if temperature is None else temperature
        pairs = _pairs.pairs_of(view_a, view_b, self.hidden_norm)
        # By the square root on both sides the gradient reaches it through both.
        pairs /= tf.sqrt(temperature)
        everyone = _pairs.gathered(pairs)  # [B, 2, E]
        rows, columns = _in_one_axis(pairs), _in_one_axis(everyone)
        is_filled = tf.ones(tf.shape(columns)[:1], tf.bool)
        if given.negatives is not None:
            negatives, filled = _pairs.negatives_of(given.negatives, self.hidden_norm)
            columns = tf.concat([columns, negatives / tf.sqrt(temperature)], axis=0)
            is_filled = tf.concat([is_filled, filled], axis=0)
        classes = None
        if self.needs_labels:
            labels = tf.cast(tf.reshape(given.labels, [-1]), tf.int32)
            classes = tf.repeat(_pairs.gathered(labels), 2)  # [2B]

        def of_block(numbers, rows, columns):
            masks = _masks(numbers, is_filled, classes)
            logits = tf.matmul(rows, columns, transpose_b=True)  # [n, C]
            partner = tf.bitwise.bitwise_xor(numbers, 1)  # 1, 0, 3, 2, ...
            positive = tf.gather(logits, partner, axis=1, batch_dims=1)
            block = Block(rows, logits, positive, *masks, temperature)
            losses = self._of_rows(block)
            # An image that is alone in its batch has nothing to be told from.
            return tf.where(tf.reduce_any(block.is_negative, axis=1), losses, 0.0)

        losses = _rows.by_blocks(of_block, rows, columns)
        losses = tf.reduce_mean(tf.reshape(losses, [-1, 2]), axis=1)
        return (
            losses,
            *(metrics_of(pairs, everyone) if with_metrics else (None, None)),
        )


def metrics_of(pairs, everyone):
    """`contrastive_accuracy` and `contrastive_entropy`, each `[b]`, without gradients.

    Args:
        pairs: Float32 `[b, 2, E]`, divided by the square root of the temperature.
        everyone: Float32 `[B, 2, E]`, those of all replicas, this one's first.
    """

    def of_block(numbers, rows, columns):
        logits = tf.matmul(rows, columns, transpose_b=True)
        return tf.stack(metrics.from_logits(logits, numbers), axis=1)

    pairs, everyone = tf.stop_gradient(pairs), tf.stop_gradient(everyone)
    found = _rows.by_blocks(of_block, pairs[:, 0], everyone[:, 1])  # [b, 2]
    return tf.unstack(found, axis=1)


def masked_log_sum(logits, mask):
    """`ln sum exp` of each row `[n, C]` where a mask holds; the lowest float if not."""
    return tf.reduce_logsumexp(tf.where(mask, logits, logits.dtype.min), axis=1)


def masked_mean(values, mask):
    """Mean of each row `[n, C]` where the mask holds, 0 if nowhere."""
    total = tf.reduce_sum(tf.where(mask, values, 0.0), axis=1)
    return tf.math.divide_no_nan(total, count(mask))


def count(mask):
    """How many cells of each row a mask holds, float32 `[n]`."""
    return tf.reduce_sum(tf.cast(mask, tf.float32), axis=1)


def _masks(numbers, is_filled, classes):
    """`is_other`, `is_negative` and `is_same_class` of `Block`, for rows by number."""
    row = numbers[:, tf.newaxis]
    column = tf.range(tf.shape(is_filled)[0])
    is_other = is_filled & (row != column)
    is_negative = is_filled & (row // 2 != column // 2)
    if classes is None:
        return is_other, is_negative, None
    mine = tf.gather(classes, numbers)[:, tf.newaxis]
    return is_other, is_negative, (mine == classes) & (mine >= 0)


def _in_one_axis(pairs):
    """`[B, 2, E]` as `[2B, E]`, image by image."""
    shape = pairs.shape
    rows = -1 if shape[0] is None else 2 * shape[0]
    return tf.reshape(pairs, [rows, shape[2] or tf.shape(pairs)[2]])
