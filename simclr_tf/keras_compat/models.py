"""Layers and models: their precision, calls, and training under any strategy."""

import contextlib
import inspect

import tensorflow as tf
from tensorflow import keras

from simclr_tf.keras_compat.kerases import IS_KERAS_3


@contextlib.contextmanager
def full_precision(networks):
    """Makes networks of mixed precision compute in the dtype of their variables.

    Args:
        networks: List of Keras layers; the layers inside them are included.
    """
    mixed = {
        layer: layer.dtype_policy
        for network in networks
        for layer in network._flatten_layers()
        if layer.compute_dtype != layer.variable_dtype
    }
    try:
        for layer in mixed:
            _set_policy(layer, keras.mixed_precision.Policy(layer.variable_dtype))
        yield
    finally:
        for layer, policy in mixed.items():
            _set_policy(layer, policy)


def _set_policy(layer, policy):
    if IS_KERAS_3:
        layer.dtype_policy = policy
    else:
        layer._set_dtype_policy(policy)


def strategy_of(model):
    """The `tf.distribute.Strategy` under which a model's variables were created."""
    variables = []
    with contextlib.suppress(ValueError):  # of a Sequential of Keras 2 without shapes
        variables = model.variables
    variable = variables[0] if variables else None
    variable = variable.value if IS_KERAS_3 and variable is not None else variable
    made_under = getattr(variable, "distribute_strategy", None)
    return made_under or tf.distribute.get_strategy()


def call_in_mode(layer, inputs, training):
    """Calls a layer in training or inference mode, if it has an argument for that."""
    if IS_KERAS_3 or "training" in inspect.signature(layer.call).parameters:
        return layer(inputs, training=training)
    return layer(inputs)


def unpack(data):
    """`(x, y)` of the data that Keras passes to a step; y is None without labels.

    Args:
        data: `x`, `(x,)` or `(x, y)`, each a tensor or a structure of tensors.

    Raises:
        ValueError: If there are sample weights as well.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if sample_weight is not None:
        raise ValueError(
            "The data must be images or (images, labels), got sample weights as well."
        )
    return x, y


class DistributedModel(keras.Model):
    """A model whose `fit` and `evaluate` work under any strategy on both Kerases.

    Keras 3 reduces metrics over workers a second time, and averages the batches of
    replicas to find their shapes, which fails if these differ. Keras 2 sums metrics
    over workers a second time.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not IS_KERAS_3:
            self.distribute_reduction_method = "first"

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        strategy = self.distribute_strategy
        if strategy.num_replicas_in_sync == 1:
            return super()._maybe_symbolic_build(iterator, data_batch)
        if iterator is not None:
            for _, _, batches in iterator:
                data_batch = _of_first_replica(next(batches), strategy)
                break
        with strategy.scope():
            self._symbolic_build(data_batch=data_batch)

    def make_train_function(self, force=False):
        """Makes the function that `fit` calls for each step."""
        several = self.distribute_strategy.num_replicas_in_sync > 1
        if not IS_KERAS_3 or not several:
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function = self._on_every_replica(self.train_step)
        return self.train_function

    def make_test_function(self, force=False):
        """Makes the function that `evaluate` calls for each step."""
        several = self.distribute_strategy.num_replicas_in_sync > 1
        if not IS_KERAS_3 or not several:
            return super().make_test_function(force)
        if self.test_function is None or force:
            self.test_function = self._on_every_replica(self.test_step)
        return self.test_function

    def _on_every_replica(self, step):
        strategy = self.distribute_strategy

        def one_step(iterator):
            outputs = strategy.run(step, args=(iterator.get_next(),))
            return _of_first_replica(outputs, strategy)

        if not self.run_eagerly:
            one_step = tf.function(one_step, reduce_retracing=True, autograph=False)

        def steps(iterator):
            for _ in range(self.steps_per_execution):
                outputs = one_step(iterator)
            return outputs

        return steps


def means_over_replicas(trackers):
    """Results of `keras.metrics.Mean`s, from inside a step, over all replicas.

    Args:
        trackers: Dict from name to `keras.metrics.Mean`.

    Returns:
        Dict from name to float32 scalar.
    """
    if not IS_KERAS_3:  # where a result is over all replicas already
        return {name: tracker.result() for name, tracker in trackers.items()}
    context = tf.distribute.get_replica_context()
    sums = [[tracker.total, tracker.count] for tracker in trackers.values()]
    sums = tf.stack([tf.stack([tf.convert_to_tensor(v) for v in two]) for two in sums])
    if context is not None and context.num_replicas_in_sync > 1:
        sums = context.all_reduce(tf.distribute.ReduceOp.SUM, sums)
    means = tf.math.divide_no_nan(sums[:, 0], sums[:, 1])
    return dict(zip(trackers, tf.unstack(means), strict=True))


def _of_first_replica(values, strategy):
    return tf.nest.map_structure(
        lambda value: strategy.experimental_local_results(value)[0], values
    )
