"""Features of a whole data set, as NumPy arrays."""

import functools
import typing

import numpy as np
import tensorflow as tf

from simclr_tf import keras_compat
from simclr_tf.errors import UserError
from simclr_tf.training import _common


class Features(typing.NamedTuple):
    """Features of `N` images and, if the data has them, their labels."""

    features: np.ndarray  # [N, C] float32
    labels: np.ndarray | None  # [N] int64


def extract_features(encoder, batches, num_examples=None):
    """Runs an encoder in inference mode over every batch.

    Args:
        encoder: Keras model from float images `[B, S, S, 3]` in [0, 1] to `[B, C]` or
            `[B, h, w, C]`. If it was made under a strategy, all replicas work.
        batches: `tf.data.Dataset`, or a distributed one, of images or of `(images,
            labels)`, preprocessed as the encoder expects them.
        num_examples: Int, keep only the first rows; None keeps all.

    Returns:
        `Features`, all of them in every process. They are in the order of the data set,
        except for a `tf.data.Dataset` that is divided among several workers.

    Raises:
        UserError: If there is no batch, or a feature is not a finite number.
    """
    return extractor(encoder, constant=True)(batches, num_examples)


def extractor(encoder, constant=False):
    """`extract_features` for one encoder, traced once for all calls.

    Args:
        encoder: See `extract_features`.
        constant: Bool, whether its weights will never change, which is faster.
    """
    strategy = keras_compat.strategy_of(encoder)
    compute = functools.partial(encoder, training=False)
    if constant and strategy.num_replicas_in_sync == 1 and hasattr(encoder, "folded"):
        compute = encoder.folded()

    def embed(*batch):
        images, *labels = batch
        labels = [_common.sparse_labels(label) for label in labels]
        return _common.pooled(compute(images)), *labels

    # A partial has a count of its own traces. TensorFlow counts those of a closure by
    # its code, and would warn that the functions of several encoders are one, retraced.
    of_all_replicas = tf.function(
        functools.partial(_of_all_replicas, strategy, embed), reduce_retracing=True
    )

    def extract(batches, num_examples=None):
        if isinstance(batches, tf.data.Dataset) and strategy.num_replicas_in_sync > 1:
            batches = strategy.experimental_distribute_dataset(batches)
        parts = []
        for batch in batches:
            batch = batch if isinstance(batch, tuple) else (batch,)
            parts.append([column.numpy() for column in of_all_replicas(*batch)])
        if not parts:
            raise UserError("The data must have a batch at least, got none.")
        features, *labels = (
            np.concatenate(columns)[:num_examples]
            for columns in zip(*parts, strict=True)
        )
        _require_finite(features)
        return Features(features, labels[0] if labels else None)

    return extract


def _of_all_replicas(strategy, embed, *batch):
    columns = strategy.run(embed, args=batch)
    return [strategy.gather(column, axis=0) for column in columns]


def _require_finite(features):
    wrong = len(features) - np.count_nonzero(np.isfinite(features.sum(axis=1)))
    if wrong:
        raise UserError(
            f"The encoder's features must be finite, got nan or inf for {wrong} of "
            f"{len(features)} images: its training has diverged. Take an earlier "
            "checkpoint, or train with a smaller learning rate."
        )
