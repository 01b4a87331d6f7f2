"""Optimizers: a base class for ours, the state of any, and LAMB."""

import warnings

import tensorflow as tf
from tensorflow import keras

from simclr_tf.keras_compat.kerases import IS_KERAS_3


class Optimizer(keras.optimizers.Optimizer):
    """Base class of our optimizers, with the same methods on both Kerases.

    A subclass creates its state in `make_slots(variables)` with `slot(variable, name)`,
    finds it again with `index(variable)`, and implements its rule in
    `update(gradient, variable, learning_rate)`. If it has a `weight_decay`, that is
    part of the rule: Keras' decoupled weight decay is off.

    Args:
        learning_rate: Float or `keras.optimizers.schedules.LearningRateSchedule`.
        **kwargs: Those of `keras.optimizers.Optimizer`, such as `clipnorm`.
    """

    def __init__(self, learning_rate, **kwargs):
        if IS_KERAS_3:
            super().__init__(learning_rate=learning_rate, **kwargs)
        else:
            super().__init__(**kwargs)
            self._learning_rate = self._build_learning_rate(learning_rate)

    def build(self, variables):
        """Creates the state of every variable; the first call decides which."""
        if getattr(self, "built", False):
            return
        super().build(variables)
        self.make_slots(variables)
        self.built = True

    def make_slots(self, variables):
        """Creates the state of `variables`, all that the optimizer will ever update."""
        raise NotImplementedError

    def update(self, gradient, variable, learning_rate):
        """Updates one variable, and its state, in place.

        Args:
            gradient: Dense tensor of the variable's shape and dtype.
            variable: `tf.Variable`, without the attributes of a Keras variable.
            learning_rate: Scalar tensor of the variable's dtype.
        """
        raise NotImplementedError

    def slot(self, variable, name):
        """A state variable of zeros in the shape of `variable`."""
        return self.add_variable_from_reference(variable, name)

    def index(self, variable):
        """Position of a variable among those of `make_slots`."""
        if IS_KERAS_3:
            return self._get_variable_index(variable)
        return self._index_dict[self._var_key(variable)]

    def update_step(self, gradient, variable, learning_rate=None):
        """Called by Keras: with a learning rate on Keras 3, without one on Keras 2."""
        if learning_rate is None:
            learning_rate = self.learning_rate
        gradient = tf.cast(tf.convert_to_tensor(gradient), variable.dtype)
        self.update(gradient, variable, tf.cast(learning_rate, variable.dtype))

    def apply_weight_decay(self, variables):  # Keras 2
        """Does nothing: decay is part of `update`."""

    def _apply_weight_decay(self, variables):  # Keras 3
        pass

    def get_config(self):
        """Arguments of the constructor."""
        config = super().get_config()
        if not IS_KERAS_3:
            rate = self._serialize_hyperparameter(self._learning_rate)
            config["learning_rate"] = rate
        return config


def inner_optimizer(optimizer):
    """The optimizer itself, without the loss scaling of mixed precision."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def optimizer_state(optimizer):
    """The part of a built optimizer that is saved in checkpoints: its own variables.

    Optimizers of Keras 3 also track the model's variables, which would then be saved
    under the optimizer's name.
    """
    if not IS_KERAS_3:
        return optimizer
    return tf.train.Checkpoint(variables=[v.value for v in optimizer.variables])


def learning_rate(optimizer):
    """The learning rate of the next step, a float."""
    rate = inner_optimizer(optimizer).learning_rate
    return float(rate(optimizer.iterations) if callable(rate) else rate)


def state_variables(optimizer):
    """A built optimizer's variables except `iterations`, which counts the steps."""
    variables = optimizer.variables
    variables = variables() if callable(variables) else variables
    return [v for v in variables if v is not optimizer.iterations]


def build_optimizer_state(optimizer, variables):
    """Creates the state of any optimizer, including the legacy ones of addons."""
    if hasattr(optimizer, "build"):
        optimizer.build(variables)
    else:
        optimizer._create_all_weights(variables)


def lamb(learning_rate, weight_decay, not_decayed):
    """LAMB: from tensorflow-addons on Keras 2, from Keras on Keras 3.

    They apply weight decay differently: addons inside the layer-wise scaling, like the
    paper (https://arxiv.org/abs/1904.00962), Keras outside of it.

    Args:
        learning_rate: Float or schedule.
        weight_decay: Float, decoupled from the moments.
        not_decayed: List of regular expressions on names: no weight decay for these.

    Returns:
        Keras optimizer.

    Raises:
        ImportError: If neither library has it, as under `TF_USE_LEGACY_KERAS`.
    """
    if IS_KERAS_3:
        optimizer = keras.optimizers.Lamb(learning_rate, weight_decay=weight_decay)
        optimizer.exclude_from_weight_decay(var_names=not_decayed)
        return optimizer
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # addons announces its end of life
            import tensorflow_addons as addons
    except ImportError as error:
        raise ImportError(
            "LAMB needs Keras 3, or Keras 2 with tensorflow-addons; here is Keras 2 "
            f"without it ({error}). LARS is there on both."
        ) from error
    return addons.optimizers.LAMB(
        learning_rate, weight_decay=weight_decay, exclude_from_weight_decay=not_decayed
    )
