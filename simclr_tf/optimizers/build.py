"""Optimizers by the names that the command takes."""

from tensorflow import keras

from simclr_tf import keras_compat
from simclr_tf.optimizers.lars import LARS

_NOT_DECAYED = ["bias", "gamma", "beta"]


def build_optimizer(name, learning_rate, momentum=0.9, weight_decay=0.0):
    """An optimizer by its name.

    "lars", "adamw" and "lamb" decay the weights themselves, all but biases and batch
    norm. "momentum" and "adam" do not: there weight decay is a term of the loss, as in
    the published code (`SimCLR(weight_decay=...)`).

    Args:
        name: "momentum" (Nesterov), "adam", "adamw", "lamb" or "lars".
        learning_rate: Float or schedule.
        momentum: Float in [0, 1), of "momentum" and "lars".
        weight_decay: Float >= 0.

    Returns:
        Keras optimizer.

    Raises:
        ValueError: If there is no optimizer of that name.
    """
    if name == "lars":
        return LARS(learning_rate, momentum=momentum, weight_decay=weight_decay)
    if name == "momentum":
        return keras.optimizers.SGD(learning_rate, momentum=momentum, nesterov=True)
    if name == "adam":
        return keras.optimizers.Adam(learning_rate)
    if name == "adamw":
        optimizer = keras.optimizers.AdamW(learning_rate, weight_decay=weight_decay)
        optimizer.exclude_from_weight_decay(var_names=_NOT_DECAYED)
        return optimizer
    if name == "lamb":
        return keras_compat.lamb(learning_rate, weight_decay, _NOT_DECAYED)
    raise ValueError(
        f"Optimizer must be momentum, adam, adamw, lamb or lars, got {name!r}."
    )
