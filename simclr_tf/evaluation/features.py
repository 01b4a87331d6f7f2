"""Features of a whole data set, as NumPy arrays."""

import typing

import numpy as np
import tensorflow as tf

from simclr_tf import keras_compat
from simclr_tf.training import _common


class Features(typing.NamedTuple):
    """Features of `N` images and, where the data has them, their labels."""

    features: np.ndarray  # [N, C] float32
    labels: np.ndarray | None  # [N] int64


def extract_features(encoder, batches, num_examples=None):
    """Runs an encoder in inference mode over every batch.

    Args:
        encoder: Keras model from float images `[B, S, S, 3]` in [0, 1] to `[B, C]` or
            `[B, h, w, C]`. One made under a strategy works on all its replicas.
        batches: `tf.data.Dataset`, or a distributed one, of images or of `(images,
            labels)`, preprocessed as the encoder expects them.
        num_examples: Int, rows to keep, the first; None keeps all.

    Returns:
        `Features`, in the order of the data set; all of them in every process.
    """
    strategy = keras_compat.strategy_of(encoder)
    if isinstance(batches, tf.data.Dataset) and strategy.num_replicas_in_sync > 1:
        batches = strategy.experimental_distribute_dataset(batches)

    def embed(*batch):
        images, *labels = batch
        labels = [_common.sparse_labels(label) for label in labels]
        return _common.pooled(encoder(images, training=False)), *labels

    @tf.function(reduce_retracing=True)
    def of_all_replicas(*batch):
        columns = strategy.run(embed, args=batch)
        return [strategy.gather(column, axis=0) for column in columns]

    parts = []
    for batch in batches:
        parts.append(
            of_all_replicas(*(batch if isinstance(batch, tuple) else (batch,)))
        )
    features, *labels = (
        np.concatenate([column.numpy() for column in columns])[:num_examples]
        for columns in zip(*parts, strict=True)
    )
    return Features(features, labels[0] if labels else None)
