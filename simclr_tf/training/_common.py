"""Functions that the training models share."""

import tensorflow as tf
from tensorflow import keras

from simclr_tf.keras_compat import (
    call_in_mode,
    inner_optimizer,
    is_moved_by_replicas,
    leaf_name,
    means_over_replicas,
)
from simclr_tf.optimizers import LARS, is_linear_head

_UNDECAYED = ("gamma", "beta", "log_temperature")


def as_unit_range(images):
    """Float32 images in [0, 1] from uint8 0..255 or float 0..1."""
    if images.dtype.is_integer:
        return tf.image.convert_image_dtype(images, tf.float32)
    return tf.cast(images, tf.float32)


def pooled(features):
    """`[B, C]` float32 features from `[B, C]`, or `[B, h, w, C]` by averaging."""
    features = tf.cast(features, tf.float32)
    return (
        tf.reduce_mean(features, axis=[1, 2]) if features.shape.rank == 4 else features
    )


def feature_dim(encoder, image_size=None):
    """Channels of an encoder's features; builds the encoder if it is not built yet.

    Args:
        encoder: Keras model from images to `[B, C]` or `[B, h, w, C]`.
        image_size: Int or None, height and width to build an unbuilt encoder with.

    Returns:
        Int `C`.

    Raises:
        ValueError: If the encoder's output is not of rank 2 or 4.
    """
    if hasattr(encoder, "feature_dim"):
        return encoder.feature_dim
    shape = getattr(encoder, "output_shape", None) if encoder.built else None
    if shape is None:
        shape = encoder(keras.Input([image_size, image_size, 3])).shape
    if not isinstance(shape, (tuple, tf.TensorShape)) or len(shape) not in (2, 4):
        raise ValueError(
            "`encoder` must map images to features [B, C] or [B, h, w, C], got an "
            f"output of shape {shape}."
        )
    return shape[-1]


def hidden_layers(projection_head, features, training):
    """Every stage of a projection head.

    Args:
        projection_head: `tf_models.ProjectionHead`, or any Keras layer or model from
            features `[B, C]` to `[B, E]`.
        features: Float tensor `[B, C]`.
        training: Bool.

    Returns:
        List of float32 tensors: its `hidden_layers`, or its input and output if it has
        none.

    Raises:
        ValueError: If the output is not a matrix.
    """
    if hasattr(projection_head, "hidden_layers"):
        return projection_head.hidden_layers(features, training=training)
    projection = call_in_mode(projection_head, features, training)
    if not tf.is_tensor(projection) or projection.shape.rank != 2:
        raise ValueError(
            "`projection_head` must map features [B, C] to projections [B, E], got an "
            f"output of shape {getattr(projection, 'shape', projection)}."
        )
    return [tf.cast(features, tf.float32), tf.cast(projection, tf.float32)]


def global_mean(values, weights=None):
    """This replica's share of the mean over the rows of all replicas.

    The shares of all replicas add up to the mean, and so do their gradients, as
    `tf.distribute` expects of a per-replica loss. Replicas may hold different numbers
    of rows. With one replica it is the plain mean.

    Args:
        values: Float tensor `[b]`, one value per row of this replica.
        weights: Float tensor `[b]` or None, how much each row counts; if all are 0 on
            every replica, the mean is 0.

    Returns:
        Float32 scalar, this replica's sum over the number of rows of all replicas.
    """
    values = tf.cast(values, tf.float32)
    if weights is None:
        rows = global_rows(values)
    else:
        rows, values = _over_replicas(tf.reduce_sum(weights)), values * weights
    return tf.math.divide_no_nan(tf.reduce_sum(values), rows)


def track(trackers, values):
    """Adds the figures of a step to the running means.

    Args:
        trackers: Dict from name to `keras.metrics.Mean`.
        values: Dict from name to a scalar or `[b]`, or to a pair of that and the
            weights of the rows.

    Returns:
        Dict from each name in `values` to its running mean over all replicas.
    """
    for name, value in values.items():
        value, weights = value if isinstance(value, tuple) else (value, None)
        value = tf.cast(value, tf.float32)
        trackers[name].update_state(value, sample_weight=weights)
    return means_over_replicas({name: trackers[name] for name in values})


def in_top_k(labels, logits, k):
    """Bool `[B]`: whether fewer than `k` others score as high as the label, or higher.

    Args:
        labels: Int `[B]`; for -1 the result is meaningless.
        logits: Float `[B, K]`. NaN is never a hit.
        k: Int.
    """
    own = tf.gather(logits, tf.maximum(labels, 0), axis=1, batch_dims=1)
    not_lower = tf.reduce_sum(tf.cast(~(logits < own[:, tf.newaxis]), tf.int32), axis=1)
    return not_lower <= k  # the label itself among them


def known(labels):
    """Float32 `[B]`: 1 where an image has a label, 0 where it is -1."""
    return tf.cast(labels >= 0, tf.float32)


def global_rows(values):
    """How many rows `values` has in all replicas together, a float32 scalar."""
    return _over_replicas(tf.cast(tf.shape(values)[0], tf.float32))


def _over_replicas(value):
    """The sum of every replica's value."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def sparse_labels(labels):
    """Class indices `[B]` from indices `[B]` or `[B, 1]`, or from one-hot `[B, K]`."""
    labels = tf.convert_to_tensor(labels)
    if labels.shape.rank == 2 and labels.shape[-1] != 1:
        return tf.argmax(labels, axis=-1)
    return tf.cast(tf.reshape(labels, [-1]), tf.int64)


def l2_penalty(variables, weight_decay):
    """Weight decay as a loss: `weight_decay * sum(|v|^2) / 2`, a float32 scalar."""
    if not weight_decay or not variables:
        return tf.zeros([])
    squares = [tf.nn.l2_loss(tf.cast(variable, tf.float32)) for variable in variables]
    return weight_decay * tf.add_n(squares)


def undecayed(variables, optimizer):
    """The variables whose weight decay is part of the loss.

    These are the variables that the optimizer does not decay itself, as in the
    published code: with LARS the linear head's kernel, with AdamW and LAMB none, with
    any other optimizer all except batch norm's and a learned temperature.
    """
    optimizer = inner_optimizer(optimizer)
    if isinstance(optimizer, LARS):
        return [v for v in variables if len(v.shape) > 1 and is_linear_head(v)]
    if getattr(optimizer, "weight_decay", None):
        return []
    return [v for v in variables if leaf_name(v) not in _UNDECAYED]


def moving_state(networks):
    """The variables that networks update themselves in training: batch statistics.

    With several replicas these are the ones that each replica may write.
    """
    state = [v for network in networks for v in network.non_trainable_variables]
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return state
    return [v for v in state if is_moved_by_replicas(v)]


def serialized(model, names):
    """Config entries of the attributes of `model` that are layers, tuples, or None."""
    return {name: _serialized(getattr(model, name)) for name in names}


def _serialized(value):
    if isinstance(value, tuple):
        return [_serialized(part) for part in value]
    return keras.utils.serialize_keras_object(value)


def deserialized(config):
    """A config with every serialised layer turned back into a layer."""
    return {name: _deserialized(value) for name, value in config.items()}


def _deserialized(value):
    if isinstance(value, (tuple, list)):
        made = []
        for part in value:  # a layer that stands there twice is one
            first = value.index(part)
            made.append(made[first] if first < len(made) else _deserialized(part))
        return tuple(made)
    if isinstance(value, dict) and "class_name" in value:
        return keras.utils.deserialize_keras_object(value)
    return value


def first_of(augmentation):
    """The layer that does the evaluation preprocessing: of two, the first."""
    if isinstance(augmentation, (tuple, list)):
        return augmentation[0]
    return augmentation
