"""Copies of networks that follow them: variables that no optimizer trains."""

import contextlib

import tensorflow as tf
from tensorflow import keras

from simclr_tf.keras_compat.kerases import IS_KERAS_3
from simclr_tf.keras_compat.variables import tf_variable


class UntrainedLayer(keras.layers.Layer):
    """A layer that no optimizer trains, whatever layers it holds.

    Unlike with `trainable = False`, batch norm in it still has a training mode.
    """

    def hold(self):
        """A subclass calls this once all variables exist."""
        for variable in self.variables if IS_KERAS_3 else ():
            variable.trainable = False

    @property
    def trainable_weights(self):
        return []

    @property
    def non_trainable_weights(self):
        return [*super().trainable_weights, *super().non_trainable_weights]


@contextlib.contextmanager
def every_replica_its_own():
    """Variables that are created in here can be assigned by each replica on its own.

    All replicas must assign the same. With one replica they are ordinary variables.
    """

    def create(next_creator, **kwargs):
        kwargs["synchronization"] = tf.VariableSynchronization.ON_READ
        kwargs["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
        return next_creator(**kwargs)

    with tf.variable_creator_scope(create):
        yield


def paired_variables(network, copy):
    """Pairs of `tf.Variable`s of two networks of one structure.

    They do not depend on which layers are trainable.

    Raises:
        ValueError: If the structures differ.
    """
    layers = zip(network._flatten_layers(), copy._flatten_layers(), strict=True)
    return [
        (tf_variable(one), tf_variable(other))
        for pair in layers
        for one, other in zip(*map(_own_variables, pair), strict=True)
    ]


def _own_variables(layer):
    if IS_KERAS_3:
        return [*layer._trainable_variables, *layer._non_trainable_variables]
    return [*layer._trainable_weights, *layer._non_trainable_weights]
