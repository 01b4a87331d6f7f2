"""Learning rates and lengths of training, by the formulas of the published code."""

import math

import tensorflow as tf
from tensorflow import keras


@keras.utils.register_keras_serializable(package="simclr_tf")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear rise from 0 to the peak, then half a cosine down to 0, where it stays.

    Args:
        peak_learning_rate: Float >= 0.
        warmup_steps: Int >= 0, the step at which the peak is reached.
        total_steps: Int > `warmup_steps`, the step at which the rate is 0 again.

    Call arguments:
        step: Int scalar, number of optimizer steps so far.

    Returns:
        Float32 scalar.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> schedule = WarmupCosine(2.0, warmup_steps=10, total_steps=30)
        >>> [round(float(schedule(step)), 4) for step in (0, 5, 10, 20, 30, 40)]
        [0.0, 1.0, 2.0, 1.0, 0.0, 0.0]

    Reference: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983; SimCLR,
    https://arxiv.org/abs/2002.05709, section 2.2.
    """

    def __init__(self, peak_learning_rate, warmup_steps, total_steps):
        super().__init__()
        if not peak_learning_rate >= 0:
            raise ValueError(
                f"`peak_learning_rate` must be >= 0, got {peak_learning_rate}."
            )
        if not 0 <= warmup_steps < total_steps:
            raise ValueError(
                "`warmup_steps` must be in [0, total_steps), got "
                f"{warmup_steps} of {total_steps}."
            )
        self.peak_learning_rate = peak_learning_rate
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        risen = step / max(self.warmup_steps, 1)
        left = (self.total_steps - step) / (self.total_steps - self.warmup_steps)
        # The half cosine (1 + cos(pi (1 - left))) / 2, exact near its end as well.
        fallen = tf.sin(0.5 * math.pi * tf.clip_by_value(left, 0.0, 1.0)) ** 2
        share = tf.where(step < self.warmup_steps, risen, fallen)
        return self.peak_learning_rate * share

    def get_config(self):
        return {
            "peak_learning_rate": self.peak_learning_rate,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
        }


def scaled_learning_rate(learning_rate, batch_size, scaling="linear"):
    """The peak learning rate for a batch size.

    Args:
        learning_rate: Float, the rate for 256 images ("linear"), or the factor of the
            square root of the batch size ("sqrt").
        batch_size: Int >= 1, images per step.
        scaling: "linear" or "sqrt".

    Returns:
        Float.

    Raises:
        ValueError: If `scaling` is neither, or `batch_size` is not positive.

    Example:
        >>> scaled_learning_rate(1.0, 512), scaled_learning_rate(0.075, 4096, "sqrt")
        (2.0, 4.8)

    Reference: Chen et al. 2020, https://arxiv.org/abs/2002.05709, section B.1.
    """
    _check_batch_size(batch_size)
    if scaling == "linear":
        return learning_rate * batch_size / 256.0
    if scaling == "sqrt":
        return learning_rate * math.sqrt(batch_size)
    raise ValueError(f'`scaling` must be "linear" or "sqrt", got {scaling!r}.')


def training_steps(num_examples, batch_size, epochs):
    """Number of steps of a training.

    Args:
        num_examples: Int, images in the training data.
        batch_size: Int >= 1, images per step.
        epochs: Int or float.

    Returns:
        Int `num_examples * epochs // batch_size + 1`.

    Example:
        >>> training_steps(50000, batch_size=512, epochs=1000)
        97657
    """
    _check_batch_size(batch_size)
    return int(num_examples * epochs // batch_size) + 1


def warmup_steps(num_examples, batch_size, warmup_epochs):
    """Number of steps of the warm-up.

    Args:
        num_examples: Int, images in the training data.
        batch_size: Int >= 1, images per step.
        warmup_epochs: Int or float.

    Returns:
        Int `num_examples * warmup_epochs // batch_size`.

    Example:
        >>> warmup_steps(50000, batch_size=512, warmup_epochs=10)
        976
    """
    _check_batch_size(batch_size)
    return int(round(warmup_epochs * num_examples // batch_size))


def _check_batch_size(batch_size):
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be >= 1, got {batch_size}.")
