"""The norm of the gradient that a step applies."""

import tensorflow as tf

from simclr_tf import keras_compat
from simclr_tf.optimizers.lars import l2_norm


class WatchedModel(keras_compat.DistributedModel):
    """A model that knows the norms of the gradient of its last step.

    Attributes:
        gradient_norms: `GradientNorms`, once it is compiled.
    """

    gradient_norms = None

    def _watch_gradients(self):
        """A subclass calls this at the end of `compile`."""
        with self.distribute_strategy.scope():
            self.gradient_norms = GradientNorms(
                self.optimizer, self.trainable_variables
            )

    def _apply(self, gradients, variables):
        """Updates the variables; returns the norm of the gradient, for `track`."""
        gradients = keras_compat.unscaled(gradients, self.optimizer)
        self.gradient_norms.clear()
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return self.gradient_norms.total()


class GradientNorms:
    """The norms of an optimizer's last gradient and of its parts.

    With several replicas they are those of the sum of the replicas' gradients.

    Args:
        optimizer: Keras optimizer, whose gradients are observed from now on.
        variables: List of the variables that it may train.
    """

    def __init__(self, optimizer, variables):
        self._paths = [keras_compat.variable_path(variable) for variable in variables]
        self._keys = [id(keras_compat.tf_variable(variable)) for variable in variables]
        self._norms = tf.Variable(  # of all together, then of each
            tf.zeros([1 + len(variables)]),
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        self._may_skip = keras_compat.scales_loss(optimizer)
        keras_compat.watch_gradients(optimizer, self._record)

    def _record(self, gradients_and_variables):
        norms = {
            id(variable): l2_norm(tf.convert_to_tensor(gradient))
            for gradient, variable in gradients_and_variables
            if gradient is not None
        }
        of_each = [norms.get(key, 0.0) for key in self._keys]
        self._norms.assign([tf.norm(tf.stack(list(norms.values()))), *of_each])

    def clear(self):
        """Forgets the step before, in case the next one is left out."""
        if self._may_skip:
            self._norms.assign(tf.zeros_like(self._norms))

    def total(self):
        """The norm of all gradients together in the last step.

        Returns:
            Pair of float32 scalars, the norm and its weight. Both are 0 if the step was
            left out because the loss was scaled too much for float16.
        """
        norm = tf.convert_to_tensor(self._norms)[0]
        if not self._may_skip:
            return norm, tf.ones([])
        applied = tf.math.is_finite(norm) & (norm > 0)
        return tf.where(applied, norm, 0.0), tf.cast(applied, tf.float32)

    def largest(self, count=3):
        """List of `(path, norm)`, starting with those that are not finite."""
        _, *of_each = map(float, self._norms.read_value())
        norms = dict(zip(self._paths, of_each, strict=True))

        def size(item):
            return float("inf") if item[1] != item[1] else item[1]

        return sorted(norms.items(), key=size, reverse=True)[:count]


def in_logs(model, logs):
    """Logs with the `gradient_norm` of the last step, if they have none."""
    norms = getattr(model, "gradient_norms", None)
    if norms is None or "gradient_norm" in logs:
        return logs
    return {**logs, "gradient_norm": float(norms.total()[0])}
