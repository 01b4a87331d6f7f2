"""Features of a whole data set, as NumPy arrays."""

import typing

import numpy as np
import tensorflow as tf

from simclr_tf.training import _common


class Features(typing.NamedTuple):
    """Features of `N` images and, where the data has them, their labels."""

    features: np.ndarray  # [N, C] float32
    labels: np.ndarray | None  # [N] int64


def extract_features(encoder, batches):
    """Runs an encoder in inference mode over every batch.

    Args:
        encoder: Keras model from float images `[B, S, S, 3]` in [0, 1] to `[B, C]` or
            `[B, h, w, C]`.
        batches: `tf.data.Dataset` of images, or `(images, labels)`, preprocessed as the
            encoder expects them.

    Returns:
        `Features`, in the order of the data set.
    """
    spec = tf.nest.flatten(batches.element_spec)[0]

    @tf.function(input_signature=[tf.TensorSpec([None, *spec.shape[1:]], spec.dtype)])
    def embed(images):
        return _common.pooled(encoder(images, training=False))

    features, labels = [], []
    for batch in batches:
        images, label = batch if isinstance(batch, tuple) else (batch, None)
        features.append(embed(images).numpy())
        if label is not None:
            labels.append(_common.sparse_labels(label).numpy())
    return Features(
        np.concatenate(features), np.concatenate(labels) if labels else None
    )
