"""Optimizers by name."""

from tensorflow import keras

from simclr_tf import keras_compat
from simclr_tf.optimizers.lars import LARS

_NAMES = ("momentum", "adam", "adamw", "lamb", "lars")
_NOT_DECAYED = [
    r"(^|/)(bias|gamma|beta|log_temperature)(:\d+)?$"
]  # by the variable's own name


def build_optimizer(name, learning_rate, momentum=0.9, weight_decay=0.0):
    """An optimizer by its name.

    Args:
        name: "momentum" (Nesterov), "adam", "adamw", "lamb" or "lars".
        learning_rate: Float or schedule.
        momentum: Float in [0, 1), of "momentum" and "lars".
        weight_decay: Float >= 0, used if `decays_weights(name)`; not applied to biases,
            batch norm and a learned temperature.

    Returns:
        Keras optimizer.

    Raises:
        ImportError: If no installed library has "lamb" (Keras 2 without addons).
        ValueError: If there is no optimizer of that name, or a number is out of range.

    Example:
        >>> build_optimizer("lars", 0.3, weight_decay=1e-6).name
        'LARS'
    """
    _check_name(name)
    if not weight_decay >= 0:
        raise ValueError(f"`weight_decay` must be >= 0, got {weight_decay}.")
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
    return LARS(learning_rate, momentum=momentum, weight_decay=weight_decay)


def decays_weights(name):
    """Whether an optimizer decays the weights itself.

    "lars", "adamw" and "lamb" do. With "momentum" and "adam", weight decay is a term of
    the loss instead, as in the published code, and has to be added there.

    Args:
        name: As of `build_optimizer`.

    Returns:
        Bool.

    Raises:
        ValueError: If there is no optimizer of that name.

    Example:
        >>> decays_weights("lars"), decays_weights("momentum")
        (True, False)
    """
    _check_name(name)
    return name in ("lars", "adamw", "lamb")


def _check_name(name):
    if name not in _NAMES:
        raise ValueError(f"Optimizer must be one of {', '.join(_NAMES)}, got {name!r}.")
