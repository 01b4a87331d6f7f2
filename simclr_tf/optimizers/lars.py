"""LARS: layer-wise adaptive rates, for large batches."""

import re

import tensorflow as tf
from tensorflow import keras

from simclr_tf import keras_compat


def trust_ratio(weight, update, coefficient):
    """LARS multiplier `coefficient * |weight| / |update|`, or 1 where a norm is 0.

    Args:
        weight: Float tensor of any shape.
        update: Float tensor of the same shape.
        coefficient: Float.

    Returns:
        Scalar.

    Reference: You et al. 2017, https://arxiv.org/abs/1708.03888, equation 6.
    """
    weight_norm, update_norm = tf.norm(weight), tf.norm(update)
    ratio = coefficient * tf.math.divide_no_nan(weight_norm, update_norm)
    return tf.where((weight_norm > 0) & (update_norm > 0), ratio, 1.0)


@keras.utils.register_keras_serializable(package="simclr_tf")
def is_bias_norm_or_linear_head(variable):
    """The variables that the published code keeps from LARS, by their role.

    Args:
        variable: Variable of a Keras model.

    Returns:
        Bool: whether it is a bias, a scale or shift of batch norm (rank 0 or 1), or
        belongs to a `tf_models.LinearHead`.
    """
    return len(variable.shape) <= 1 or getattr(variable, "is_linear_head", False)


@keras.utils.register_keras_serializable(package="simclr_tf")
class LARS(keras_compat.Optimizer):
    """Momentum whose rate is scaled, per variable, by `|weight| / |gradient|`.

    Excluded variables get neither weight decay nor the scaling: plain momentum with the
    full learning rate.

    Args:
        learning_rate: Float or `keras.optimizers.schedules.LearningRateSchedule`.
        momentum: Float in [0, 1).
        weight_decay: Float >= 0, times the weight is added to the gradient.
        trust_coefficient: Positive float ("eeta" in the published code).
        nesterov: Bool, whether the update looks one step ahead.
        classic_momentum: Bool. True: the velocity accumulates scaled gradients (the
            ratio is of the gradient). False: the velocity accumulates plain gradients
            and the update is scaled (the ratio is of the update).
        exclude: Which variables are excluded. None: `is_bias_norm_or_linear_head`. A
            predicate on the variable (register it with
            `keras.utils.register_keras_serializable` to save the optimizer), or a list
            of regular expressions searched for in paths such as `encoder/conv/kernel`;
            both replace the default.
        **kwargs: Those of `keras.optimizers.Optimizer`, such as `clipnorm`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> weight = tf.Variable([[3.0, 4.0]])
        >>> optimizer = LARS(1.0, momentum=0.0, trust_coefficient=0.1)
        >>> optimizer.apply_gradients([(tf.constant([[0.0, 2.0]]), weight)])
        ...     is not None
        True
        >>> print(weight.numpy())  # ratio 0.1 * 5 / 2
        [[3.  3.5]]

    Reference: You et al. 2017, https://arxiv.org/abs/1708.03888, algorithm 1; SimCLR
    uses it in section 2.2 with trust coefficient 0.001.
    """

    def __init__(
        self,
        learning_rate,
        momentum=0.9,
        weight_decay=0.0,
        trust_coefficient=0.001,
        nesterov=False,
        classic_momentum=True,
        exclude=None,
        name="LARS",
        **kwargs,
    ):
        super().__init__(learning_rate, name=name, **kwargs)
        if not 0 <= momentum < 1:
            raise ValueError(f"`momentum` must be in [0, 1), got {momentum}.")
        if weight_decay is None or weight_decay < 0:
            raise ValueError(f"`weight_decay` must be >= 0, got {weight_decay}.")
        if trust_coefficient <= 0:
            raise ValueError(
                f"`trust_coefficient` must be positive, got {trust_coefficient}."
            )
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.trust_coefficient = trust_coefficient
        self.nesterov = nesterov
        self.classic_momentum = classic_momentum
        self.exclude = exclude

    def excludes(self, variable):
        """Whether a variable gets plain momentum, by `exclude`."""
        if self.exclude is None:
            return is_bias_norm_or_linear_head(variable)
        if callable(self.exclude):
            return bool(self.exclude(variable))
        path = keras_compat.variable_path(variable)
        return any(re.search(pattern, path) for pattern in self.exclude)

    def make_slots(self, variables):
        """Decides exclusions here: later a replica sees bare `tf.Variable`s."""
        self._excluded = [self.excludes(variable) for variable in variables]
        self._velocities = [self.slot(variable, "velocity") for variable in variables]

    def update(self, gradient, variable, learning_rate):
        """One step of one variable."""
        index = self.index(variable)
        velocity, adapted = self._velocities[index], not self._excluded[index]
        weight = tf.convert_to_tensor(variable)
        if adapted:
            gradient += self.weight_decay * weight
        if self.classic_momentum:
            if adapted:
                gradient *= trust_ratio(weight, gradient, self.trust_coefficient)
            gradient *= learning_rate
        new_velocity = self.momentum * velocity + gradient
        step = self.momentum * new_velocity + gradient if self.nesterov else new_velocity
        if not self.classic_momentum:
            if adapted:
                step *= trust_ratio(weight, step, self.trust_coefficient)
            step *= learning_rate
        velocity.assign(new_velocity)
        variable.assign_sub(step)

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "weight_decay": self.weight_decay,
            "trust_coefficient": self.trust_coefficient,
            "nesterov": self.nesterov,
            "classic_momentum": self.classic_momentum,
            "exclude": keras.utils.serialize_keras_object(self.exclude)
            if callable(self.exclude)
            else self.exclude,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        exclude = config.get("exclude")
        if exclude is not None and not isinstance(exclude, (list, tuple)):
            exclude = keras.utils.deserialize_keras_object(exclude)
        return super().from_config({**config, "exclude": exclude})
