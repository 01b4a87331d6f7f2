"""Temperatures of the contrastive loss that change during training."""

import math

import tensorflow as tf
from tensorflow import keras

from simclr_tf import keras_compat


@keras.utils.register_keras_serializable(package="simclr_tf")
class LearnedTemperature(keras.layers.Layer):
    """A temperature that the optimizer learns together with the networks.

    Its logarithm is learned, as in CLIP, so that a step changes it by a share of its
    value, and after every step it is set back to its bounds. There it waits for a
    gradient that leads inside again. Like biases it gets no weight decay, and from LARS
    no scaled rate: its rate is the plain learning rate. An `exclude` of your own, or
    AdamW of Keras, has to leave it out by its name `log_temperature`.

    Args:
        initial: Float in [`minimum`, `maximum`], where it starts.
        minimum: Positive float.
        maximum: Float > `minimum`.
        **kwargs: Those of `keras.layers.Layer`.

    Call arguments:
        step: Tensor, not read.

    Returns:
        Float32 scalar, through which a gradient flows to the variable
        `log_temperature`.

    Raises:
        ValueError: If a bound or the start is out of its range.

    Example:
        >>> print(LearnedTemperature(0.5)(tf.constant(0)).numpy().round(4))
        0.5

    Reference: Radford et al. 2021, https://arxiv.org/abs/2103.00020, sections 2.3 and
    2.5. It bounds only one side, at 0.01, because lower ones made training unstable.
    """

    def __init__(self, initial=0.1, minimum=0.01, maximum=1.0, **kwargs):
        kwargs.setdefault("dtype", "float32")  # whatever the networks compute in
        super().__init__(**kwargs)
        if not 0 < minimum < maximum < math.inf:
            raise ValueError(
                "`minimum` must be positive and below `maximum`, got "
                f"minimum={minimum}, maximum={maximum}."
            )
        if not minimum <= initial <= maximum:
            raise ValueError(
                f"`initial` must be in [{minimum}, {maximum}], got {initial}."
            )
        self.initial, self.minimum, self.maximum = initial, minimum, maximum
        low, high = math.log(minimum), math.log(maximum)
        self.log_temperature = self.add_weight(
            name="log_temperature",
            shape=(),
            initializer=keras.initializers.Constant(math.log(initial)),
            constraint=lambda variable: tf.clip_by_value(
                tf.convert_to_tensor(variable), low, high
            ),
            aggregation=keras_compat.MEAN,  # replicas clip the same value
        )
        self.built = True

    def call(self, step):
        return tf.exp(tf.convert_to_tensor(self.log_temperature))

    def get_config(self):
        return {
            **super().get_config(),
            "initial": self.initial,
            "minimum": self.minimum,
            "maximum": self.maximum,
        }


@keras.utils.register_keras_serializable(package="simclr_tf")
class TemperatureWarmup(keras.optimizers.schedules.LearningRateSchedule):
    """A temperature that moves from one value to another in a straight line.

    Args:
        start: Positive float, the temperature of the first step.
        end: Positive float, the temperature after `warmup_steps`.
        warmup_steps: Int >= 1.

    Call arguments:
        step: Int scalar, number of optimizer steps so far.

    Returns:
        Float32 scalar.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> warmup = TemperatureWarmup(0.5, 0.1, warmup_steps=4)
        >>> [round(float(warmup(step)), 4) for step in (0, 1, 4, 9)]
        [0.5, 0.4, 0.1, 0.1]

    Reference: Caron et al. 2021, https://arxiv.org/abs/2104.14294, section 3.2, whose
    teacher warms up so.
    """

    def __init__(self, start, end, warmup_steps):
        super().__init__()
        for name, value in (("start", start), ("end", end)):
            if not 0 < value < math.inf:
                raise ValueError(f"`{name}` must be positive and finite, got {value}.")
        if warmup_steps < 1:
            raise ValueError(f"`warmup_steps` must be >= 1, got {warmup_steps}.")
        self.start, self.end, self.warmup_steps = start, end, warmup_steps

    def __call__(self, step):
        share = tf.minimum(tf.cast(step, tf.float32) / self.warmup_steps, 1.0)
        return (1.0 - share) * self.start + share * self.end

    def get_config(self):
        return {
            "start": self.start,
            "end": self.end,
            "warmup_steps": self.warmup_steps,
        }


def require(temperature):
    """Refuses what is no temperature that changes.

    Raises:
        TypeError: If it is neither None, a `LearnedTemperature` nor a schedule.
    """
    kinds = LearnedTemperature, keras.optimizers.schedules.LearningRateSchedule
    if temperature is not None and not isinstance(temperature, kinds):
        raise TypeError(
            "`temperature` must be a LearnedTemperature, a schedule such as "
            f"TemperatureWarmup, or None, got {temperature!r}. A constant one belongs "
            "to the loss: NTXent(temperature=0.5)."
        )
