"""LARS: layer-wise adaptive rates, for large batches."""

import re

import tensorflow as tf
from tensorflow import keras

from simclr_tf import keras_compat


def trust_ratio(weight, update, coefficient):
    """LARS multiplier `coefficient * |weight| / |update|`, or 1 if a norm is 0.

    Args:
        weight: Float tensor of any shape.
        update: Float tensor of the same shape.
        coefficient: Float.

    Returns:
        Float32 scalar.

    Reference: You et al. 2017, https://arxiv.org/abs/1708.03888, equation 6.
    """
    weight_norm, update_norm = l2_norm(weight), l2_norm(update)
    ratio = coefficient * tf.math.divide_no_nan(weight_norm, update_norm)
    return tf.where((weight_norm > 0) & (update_norm > 0), ratio, 1.0)


def is_linear_head(variable):
    """Whether a variable belongs to a `tf_models.LinearHead`."""
    return getattr(variable, "is_linear_head", False)


@keras.utils.register_keras_serializable(package="simclr_tf")
def is_bias_norm_or_linear_head(variable):
    """Whether the published code excludes a variable from LARS.

    Args:
        variable: Variable of a Keras model.

    Returns:
        Bool: whether it is a bias, a scale or shift of batch norm (rank 0 or 1), or
        belongs to a `tf_models.LinearHead`.
    """
    return len(variable.shape) <= 1 or is_linear_head(variable)


@keras.utils.register_keras_serializable(package="simclr_tf")
class LARS(keras_compat.Optimizer):
    """Momentum with a rate scaled by `|weight| / |gradient|` for each variable.

    Excluded variables get neither weight decay nor scaling, but plain momentum with the
    full learning rate.

    Args:
        learning_rate: Float or `keras.optimizers.schedules.LearningRateSchedule`.
        momentum: Float in [0, 1).
        weight_decay: Float >= 0; `weight_decay * weight` is added to the gradient.
        trust_coefficient: Positive float ("eeta" in the published code).
        nesterov: Bool, whether the update looks one step ahead.
        classic_momentum: Bool. True: the velocity accumulates scaled gradients (the
            ratio is of the gradient). False: the velocity accumulates plain gradients
            and the update is scaled (the ratio is of the update).
        exclude: Which variables are excluded. None: `is_bias_norm_or_linear_head`. Or a
            predicate on the variable (register it with
            `keras.utils.register_keras_serializable` to save the optimizer), or a list
            of regular expressions to search for in paths such as `encoder/conv/kernel`.
        **kwargs: Those of `keras.optimizers.Optimizer`, such as `clipnorm`.

    Raises:
        TypeError: If `exclude` is none of these.
        ValueError: If an argument is out of its range.

    Example:
        >>> weight = tf.Variable([[3.0, 4.0]])
        >>> optimizer = LARS(1.0, momentum=0.0, trust_coefficient=0.1)
        >>> _ = optimizer.apply_gradients([(tf.constant([[0.0, 2.0]]), weight)])
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
        if weight_decay is None or not weight_decay >= 0:
            raise ValueError(f"`weight_decay` must be >= 0, got {weight_decay}.")
        if not trust_coefficient > 0:
            raise ValueError(
                f"`trust_coefficient` must be positive, got {trust_coefficient}."
            )
        _check_exclude(exclude)
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.trust_coefficient = trust_coefficient
        self.nesterov = nesterov
        self.classic_momentum = classic_momentum
        self.exclude = exclude

    def excludes(self, variable):
        """Whether a variable of a Keras model is excluded, see `exclude`."""
        if self.exclude is None:
            return is_bias_norm_or_linear_head(variable)
        if callable(self.exclude):
            return bool(self.exclude(variable))
        path = keras_compat.variable_path(variable)
        return any(re.search(pattern, path) for pattern in self.exclude)

    def make_slots(self, variables):
        """Creates the velocities and decides exclusions, which `update` cannot know."""
        self._excluded = tuple(self.excludes(variable) for variable in variables)
        self._velocities = [self.slot(variable, "velocity") for variable in variables]

    def update(self, gradient, variable, learning_rate):
        """One step of one variable, in place."""
        index = self.index(variable)
        velocity, excluded = self._velocities[index], self._excluded[index]
        if self.weight_decay and not excluded:
            gradient += self.weight_decay * variable

        def rate(update):
            if excluded:
                return learning_rate
            ratio = trust_ratio(variable, update, self.trust_coefficient)
            return learning_rate * tf.cast(ratio, learning_rate.dtype)

        if self.classic_momentum:
            # velocity <- momentum * velocity - rate * gradient, and the variable moves
            # by it (with Nesterov by a step more): one kernel that copies nothing.
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=variable.handle,
                accum=velocity.handle,
                lr=rate(gradient),
                grad=gradient,
                momentum=self.momentum,
                use_nesterov=self.nesterov,
            )
        else:
            new_velocity = self.momentum * velocity + gradient
            step = new_velocity
            if self.nesterov:
                step = self.momentum * new_velocity + gradient
            velocity.assign(new_velocity)
            tf.raw_ops.ResourceApplyGradientDescent(
                var=variable.handle, alpha=rate(step), delta=step
            )

    def get_config(self):
        """Arguments of the constructor.

        Raises:
            ValueError: If `exclude` is a function that is not registered with Keras.
        """
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "weight_decay": self.weight_decay,
            "trust_coefficient": self.trust_coefficient,
            "nesterov": self.nesterov,
            "classic_momentum": self.classic_momentum,
            "exclude": _serialized(self.exclude),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """An optimizer from the result of `get_config`, without its state."""
        exclude = config.get("exclude")
        if isinstance(exclude, dict):
            exclude = keras.utils.deserialize_keras_object(exclude, custom_objects)
        return super().from_config({**config, "exclude": exclude}, custom_objects)


def l2_norm(tensor):
    """`tf.norm` in float32 in one pass, without storing the squares."""
    return tf.sqrt(2.0 * tf.nn.l2_loss(tf.cast(tensor, tf.float32)))


def _check_exclude(exclude):
    if exclude is None or callable(exclude):
        return
    if not isinstance(exclude, (list, tuple)):
        raise TypeError(
            "`exclude` must be None, a function of a variable or a list of regular "
            f"expressions, got {exclude!r}."
        )
    for pattern in exclude:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"`exclude` must hold regular expressions, got {pattern!r}: {error}."
            ) from error


def _serialized(exclude):
    if not callable(exclude):
        return exclude
    name = keras.utils.get_registered_name(exclude)
    if keras.utils.get_registered_object(name) is not exclude:
        raise ValueError(
            f"`exclude` is the function {name}, which Keras cannot save: decorate it "
            "with `keras.utils.register_keras_serializable()`."
        )
    return keras.utils.serialize_keras_object(exclude)
